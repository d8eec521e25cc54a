# Who drops out, by glm: the rows at risk, the models of odds and of hazards, and lagged scores, from small/leaving.csv, for
# tests/analyses/test_dropout_r.py.
# Debian: r-cran-jsonlite. Run: Rscript tests/reference/make_dropout.R
# Data: 150 simulated clients, written by the test module (python tests/analyses/test_dropout_r.py).
suppressMessages(library(jsonlite))
here <- "tests/reference"
d <- read.csv(file.path(here, "small", "leaving.csv"))
d <- d[order(d$client, d$session), ]

# One row per client and session at risk: the scores that were known `lag` sessions before, and what happened.
at_risk <- function(lag) {
  do.call(rbind, lapply(split(d, d$client), function(own) {
    last <- max(own$session)
    end <- own$ending[1]
    periods <- 1:(last + (end != ""))
    do.call(rbind, lapply(periods, function(t) {
      before <- own[own$session <= t - lag, ]
      rated <- before$alliance[before$session >= 1 & !is.na(before$alliance)]
      scored <- before$phq9[!is.na(before$phq9)]
      if (t < 1 + lag || !length(rated)) return(NULL)
      event <- if (t > last) end else ""
      data.frame(period = t, within = tail(rated, 1) - mean(rated), mean = mean(rated),
                 severity = if (length(scored)) tail(scored, 1) else NA, event = event)
    }))
  }))
}

# Steps of the baseline with at least five dropouts; what is left joins the last one.
steps <- function(rows) {
  counts <- tapply(rows$event == "dropout", rows$period, sum)
  step <- integer(length(counts)); now <- 1; held <- 0
  for (i in seq_along(counts)) {
    step[i] <- now; held <- held + counts[i]
    if (held >= 5) { now <- now + 1; held <- 0 }
  }
  if (held > 0 || max(step) < now) step[step == now] <- max(now - 1, 1)
  factor(step[match(rows$period, names(counts))])
}

model <- function(lag, link) {
  rows <- at_risk(lag)
  rows$mean <- rows$mean - mean(rows$mean)
  rows$severity <- rows$severity - mean(rows$severity, na.rm = TRUE)
  rows <- rows[rows$event %in% c("", "dropout") & !is.na(rows$severity), ]
  rows$step <- steps(rows)
  fit <- glm((event == "dropout") ~ 0 + step + within + mean + severity, binomial(link), rows, epsilon = 1e-12, maxit = 100)
  s <- summary(fit)$coefficients[c("within", "mean", "severity"), ]
  list(lag = lag, link = link, n = nrow(rows), steps = nlevels(rows$step), deviance = deviance(fit), estimate = unname(s[, 1]), se = unname(s[, 2]))
}

cases <- list(model(1, "logit"), model(1, "cloglog"), model(2, "logit"), model(2, "cloglog"))
write_json(list(R = as.character(getRversion()), cases = cases), file.path(here, "dropout.json"), auto_unbox = TRUE, digits = NA, pretty = TRUE)
