# Everything that al.early_alliance and al.variance_partition report, computed a second time in R from the raw
# exports: reading, scoring, landmark design, models by lme4, degrees of freedom, correlations, shares.
#
#   Rscript tests/reference/early_alliance.R [study ...]
#
# Writes early_alliance.json beside this file; with names of studies (demo, gad), only those anew. Takes minutes. Needs
# R with lme4, lmerTest, clubSandwich and jsonlite. Nothing that the package computes is read; bootstrap intervals are left out.

suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(clubSandwich)
  library(jsonlite)
})

here <- normalizePath(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))
root <- normalizePath(file.path(here, "..", ".."))
demo_file <- file.path(root, "src", "alliance_longitudinal", "data", "demo_files", "sessions.csv")
gad_file <- file.path(root, "..", "shared", "data", "implement_gad_sessions_rescaled.csv")
source(file.path(here, "optimum.R"))

# ---------------------------------------------------------------- the exports, one row per client session

# Clinic export: semicolons, cp1252, day-first dates, text codes for missing; 12 items, scored when complete;
# a client with several therapists belongs to the first.
read_demo <- function() {
  raw <- read.csv2(demo_file, colClasses = "character", na.strings = character(0), fileEncoding = "CP1252", strip.white = TRUE)
  number <- function(x) as.numeric(ifelse(x %in% c("", "k.A.", "-99", "NA"), NA, sub(",", ".", x, fixed = TRUE)))
  items <- sapply(raw[paste0("WAI_", 1:12)], number)
  day <- as.Date(raw$Date, "%d.%m.%Y")
  d <- data.frame(client = raw$ClientNo, clinic = raw$Site, seen_by = raw$Therapist, session = as.integer(raw$SessionNo),
                  week = as.numeric(day - ave(day, raw$ClientNo, FUN = min)) / 7,
                  a = rowSums(items), y = number(raw$PHQ9_total), stringsAsFactors = FALSE)
  d <- d[order(d$client, d$session), ]
  d$therapist <- ave(d$seen_by, d$client, FUN = function(x) x[1])
  d
}

# Anxiety clients: mean of the answered of 9 items when at least 5 are; time is the session number.
read_gad <- function() {
  raw <- read.csv(gad_file)
  items <- as.matrix(raw[grep("^wai_(task|goal|bond)[1-3]$", names(raw))])
  d <- data.frame(client = as.character(raw$client), therapist = as.character(raw$therapist), session = raw$session,
                  week = raw$session - ave(raw$session, raw$client, FUN = min),
                  a = ifelse(rowSums(!is.na(items)) >= 5, rowMeans(items, na.rm = TRUE), NA), y = raw$bai_total)
  d[order(d$client, d$session), ]
}

# ---------------------------------------------------------------- the landmark design

# Per client: mean alliance in the window, first score, last score in the window minus first, last score after it.
landmark <- function(d, first, last, adjust) {
  flow <- list()
  keep <- function(d, ok, step) {
    d <- d[ok, ]
    flow[[step]] <<- c(rows = nrow(d), clients = length(unique(d$client)), therapists = length(unique(d$therapist)))
    d
  }
  per_client <- function(f) { out <- sapply(split(d, d$client), f); out[d$client] }
  d <- keep(d, TRUE, "read")
  d <- keep(d, per_client(function(x) max(x$session)) >= last, "in_treatment")
  d <- keep(d, per_client(function(x) sum(!is.na(x$a[x$session >= first & x$session <= last]))) >= 1, "rated")
  known <- per_client(function(x) sum(!is.na(x$y[x$session <= last])))
  d <- keep(d, known >= 1, "intake_known")
  if ("change" %in% adjust) d <- keep(d, known[d$client] >= 2, "change_known")
  before <- d[d$session <= last, ]
  rows <- keep(d, d$session > last, "after")
  rows <- keep(rows, !is.na(rows$y), "scored")
  clients <- do.call(rbind, lapply(split(before, before$client), function(x) {
    later <- rows[rows$client == x$client[1], ]
    if (nrow(later) == 0) return(NULL)
    score <- x$y[!is.na(x$y)]
    data.frame(client = x$client[1], therapist = x$therapist[1], clinic = if ("clinic" %in% names(x)) x$clinic[1] else "", zero = max(x$week),
               early = mean(x$a[x$session >= first & x$session <= last], na.rm = TRUE),
               intake = score[1], change = score[length(score)] - score[1],
               end_change = later$y[nrow(later)] - score[1])
  }))
  for (v in c("early", adjust)) {
    mean_of_therapist <- ave(clients[[v]], clients$therapist)
    clients[[paste0(v, "_total")]] <- clients[[v]] - mean(clients[[v]])
    clients[[paste0(v, "_therapist")]] <- mean_of_therapist - mean(clients[[v]])
    clients[[paste0(v, "_client")]] <- clients[[v]] - mean_of_therapist
  }
  predictors <- clients[, setdiff(names(clients), "therapist")]
  rows <- merge(rows[c("client", "therapist", "session", "week", "y")], predictors, by = "client")
  rows$weeks <- rows$week - rows$zero
  list(clients = clients, rows = rows[order(rows$client, rows$session), ], flow = flow, adjust = adjust)
}

# ---------------------------------------------------------------- models and degrees of freedom

# The free directions of theta: what lies on its boundary is held there, and what then has no meaning, too.
free_theta <- function(theta, lower, cnms) {
  free <- !(lower == 0 & theta < 1e-6)
  at <- 0
  for (terms in cnms) {
    if (length(terms) == 2 && !free[at + 1]) free[at + 2] <- FALSE
    at <- at + length(terms) * (length(terms) + 1) / 2
  }
  free
}

fit <- function(formula, data) {
  formula <- as.formula(formula)
  best <- best_theta(formula, data, TRUE, c("bobyqa", "nloptwrap"), c(0, 0.02, 0))
  control <- lmerControl(optimizer = "stay", calc.derivs = FALSE)
  # lmerTest finds the model again by its call, so the call has to hold the values themselves.
  fitted <- suppressMessages(eval(bquote(
    lme4::lmer(.(formula), data = .(data), REML = TRUE, start = .(best$theta), control = .(control))
  )))
  list(fit = fitted, theta = best$theta, criterion = suppressMessages(lme4::lmer(formula, data, devFunOnly = TRUE)))
}

# Satterthwaite: df = 2 v^2 / var(v), v the variance of the contrast, var(v) by the delta method from the curvature
# of the restricted deviance in the free part of theta and sigma (Kuznetsova et al. 2017, differentiated here anew).
contrasts_of <- function(m, weights) {
  names <- names(fixef(m$fit))
  L <- t(sapply(weights, function(w) { l <- setNames(numeric(length(names)), names); l[names(w)] <- w; l }))
  free <- free_theta(m$theta, environment(m$criterion)$lower, getME(m$fit, "cnms"))
  inside <- environment(m$criterion)
  n_p <- nrow(getME(m$fit, "X")) - ncol(getME(m$fit, "X"))
  put <- function(x) { theta <- m$theta; theta[!free] <- 0; theta[free] <- x[-length(x)]; m$criterion(theta) }
  deviance <- function(x) {
    put(x)
    s2 <- x[length(x)]^2
    inside$pp$ldL2() + inside$pp$ldRX2() + n_p * log(2 * pi * s2) + (inside$resp$wrss() + inside$pp$sqrL(1)) / s2
  }
  variance <- function(x) { put(x); V <- x[length(x)]^2 * inside$pp$unsc(); diag(L %*% V %*% t(L)) }
  at <- c(m$theta[free], sigma(m$fit))
  A <- 2 * solve(numDeriv::hessian(deviance, at))
  J <- numDeriv::jacobian(variance, at)
  v <- variance(at)
  data.frame(effect = names(weights), estimate = as.vector(L %*% fixef(m$fit)), se = sqrt(v),
             df = 2 * v^2 / rowSums((J %*% A) * J), df_lmertest = if (all(free)) df_lmertest(m, L) else NA)
}

# The same by lmerTest, which is only sure of itself away from the boundary.
df_lmertest <- function(m, L) {
  lmerTest::contest(as_lmerModLmerTest(m$fit), L, joint = FALSE, ddf = "Satterthwaite")$df
}

variances <- function(m, term) {
  v <- VarCorr(m$fit)
  out <- c(therapist = v[["therapist"]][term, term], client = v[["therapist:client"]][term, term])
  if (term == "(Intercept)") c(out, session = sigma(m$fit)^2) else out
}

shares <- function(m, term, prefix) {
  v <- variances(m, term)
  data.frame(id = paste0(prefix, "_", names(v)), estimate = unname(v / sum(v)))
}

LEVEL <- "y ~ weeks + (1 | therapist) + (1 | therapist:client)"
CHANGE <- "y ~ weeks + (1 + weeks | therapist) + (1 + weeks | therapist:client)"

# ---------------------------------------------------------------- effects

# Therapists have effects of alliance of their own where at least 20 of them have three or more analysed clients.
own_effects <- function(design) sum(table(design$clients$therapist) >= 3) >= 20

# The model of one kind: own effects where `own`, a fixed effect of each clinic where `clinics`.
model_of <- function(design, kind, alliance, own, clinics = FALSE) {
  parts <- c("client", "therapist")
  adjust <- as.vector(t(outer(design$adjust, parts, paste, sep = "_")))
  p <- if (kind == "slope") "weeks:" else ""
  x <- paste(c(alliance, adjust, if (clinics) "clinic"), collapse = " + ")
  own_term <- if (own) paste0(" + (0 + ", p, alliance[1], " | therapist)") else ""
  if (kind == "end") return(paste0("end_change ~ ", x, " + (1 | therapist)", own_term))
  paste0("y ~ weeks * (", x, ") + (1 + weeks | therapist) + (1 + weeks | therapist:client)", own_term)
}

# A row of a model with cluster-robust errors (CR2) by therapist and their Satterthwaite df, by clubSandwich.
robust_row <- function(m, term, data) {
  test <- coef_test(m, vcov = vcovCR(m, cluster = data$therapist, type = "CR2"), test = "Satterthwaite")
  test[which(names(fixef(m)) == term), ]
}

# Without effects of their own in the model, effects within therapists and in total have robust errors where `robust`.
effects_of <- function(design, kind, total, own = own_effects(design), clinics = FALSE, robust = !own) {
  p <- if (kind == "slope") "weeks:" else ""
  data <- if (kind == "slope") design$rows else design$clients
  within <- setNames(1, paste0(p, "early_client"))
  between <- setNames(1, paste0(p, "early_therapist"))
  split <- fit(model_of(design, kind, c("early_client", "early_therapist"), own, clinics), data)
  out <- contrasts_of(split, list(within = within, between = between, contextual = c(between, -within)))
  # At most therapists - 1 - therapist-level predictors (alliance, the adjustment variables, clinics) for a therapist's mean.
  most <- length(unique(design$clients$therapist)) - 1 - (1 + length(design$adjust))
  if (clinics) most <- most - (length(unique(design$clients$clinic)) - 1)
  out$df[2:3] <- pmin(out$df[2:3], most)
  if (total) {
    undivided <- fit(model_of(design, kind, "early_total", own), data)
    out <- rbind(out, contrasts_of(undivided, list(total = setNames(1, paste0(p, "early_total")))))
  }
  if (robust) {
    judged <- list(within = split, total = if (total) undivided)
    for (effect in names(Filter(Negate(is.null), judged))) {
      row <- robust_row(judged[[effect]]$fit, paste0(p, if (effect == "within") "early_client" else "early_total"), data)
      out[out$effect == effect, c("se", "df")] <- c(row$SE, row$df)
      out$df_lmertest[out$effect == effect] <- NA
    }
  }
  half <- qt(0.975, out$df) * out$se
  out$ci_low <- out$estimate - half
  out$ci_high <- out$estimate + half
  out$p <- 2 * pt(-abs(out$estimate / out$se), out$df)
  cbind(id = paste0(kind, "_", out$effect), out[names(out) != "effect"])
}

# With clinics held constant: the effects within and between therapists.
within_clinics <- function(design) {
  out <- rbind(effects_of(design, "slope", FALSE, clinics = TRUE), effects_of(design, "end", FALSE, clinics = TRUE))
  out <- out[!endsWith(out$id, "contextual"), ]
  out$id <- paste0(out$id, "_clinics")
  out
}

# The effects within therapists with the errors of the model, right if the effect is the same for all therapists.
usual <- function(same) {
  out <- same[endsWith(same$id, "within"), ]
  out$id <- paste0(out$id, "_same")
  out
}

# One standard deviation of alliance: clients around their therapist's mean, therapists' means, all clients.
per_sd <- function(effects, design, weeks) {
  of_therapists <- tapply(design$clients$early, design$clients$therapist, mean)
  sds <- c(within = sd(design$clients$early_client), between = sd(of_therapists), total = sd(design$clients$early))
  e <- effects[sub(".*_", "", effects$id) %in% names(sds), ]
  times <- unname(sds[sub(".*_", "", e$id)]) * ifelse(startsWith(e$id, "slope"), weeks, 1)
  for (column in c("estimate", "se", "ci_low", "ci_high")) e[[column]] <- e[[column]] * times
  e$id <- paste0(e$id, "_per_sd")
  e
}

# Higher alliance is better and lower symptoms are better: the sign is turned. t and its df are those of the models with
# one effect for all therapists (`same`); Fisher's error grows by the ratio of the two intervals.
correlations <- function(effects, same) {
  e <- effects[!endsWith(effects$id, "contextual"), ]
  one <- same[match(e$id, same$id), ]
  t <- -one$estimate / one$se
  r <- t / sqrt(t^2 + one$df)
  wider <- (e$ci_high - e$ci_low) / (one$ci_high - one$ci_low)
  half <- pmax(wider, 1) * qnorm(0.975) / sqrt(one$df - 1)
  id <- sub("^slope_", "r_slope_", sub("^end_", "r_", e$id))
  data.frame(id = id, estimate = r, df = e$df, ci_low = tanh(atanh(r) - half), ci_high = tanh(atanh(r) + half), p = e$p)
}

# ---------------------------------------------------------------- the two analyses

rbind_any <- function(...) {
  parts <- Filter(Negate(is.null), list(...))
  columns <- unique(unlist(lapply(parts, names)))
  do.call(rbind, lapply(parts, function(p) { p[setdiff(columns, names(p))] <- NA; p[columns] }))
}

plain <- function(frame) { rownames(frame) <- NULL; frame }

early_alliance <- function(d) {
  design <- landmark(d, 1, 5, c("intake", "change"))
  followed <- tapply(design$rows$weeks, design$rows$client, max)
  weeks <- max(floor(median(followed)), 1)
  effects <- rbind(effects_of(design, "slope", TRUE), effects_of(design, "end", TRUE))
  own <- own_effects(design)
  same <- rbind(effects_of(design, "slope", TRUE, FALSE, robust = FALSE),
                effects_of(design, "end", TRUE, FALSE, robust = FALSE))
  beside <- rbind_any(if (own) NULL else usual(same), if ("clinic" %in% names(d)) within_clinics(design) else NULL)
  alliance <- fit("early ~ 1 + (1 | therapist)", design$clients)$fit
  tau2 <- VarCorr(alliance)[["therapist"]][1, 1]
  icc <- tau2 / (tau2 + sigma(alliance)^2)
  caseloads <- table(design$clients$therapist)
  caseload <- 1 / mean(1 / caseloads)
  estimates <- rbind_any(
    effects, beside, per_sd(effects, design, weeks), correlations(effects, same),
    shares(fit(LEVEL, design$rows), "(Intercept)", "share_level"),
    shares(fit(CHANGE, design$rows), "weeks", "share_change"),
    data.frame(id = c("alliance_icc_therapist", "reliability_therapist_mean"),
               estimate = c(icc, caseload * icc / (1 + (caseload - 1) * icc)))
  )
  list(weeks = weeks, caseload = caseload, flow = design$flow, estimates = plain(estimates),
       sensitivity = sensitivity(d))
}


sensitivity <- function(d) {
  out <- list()
  for (window in list(c(3, 3), c(1, 3), c(3, 5), c(1, 5))) for (adjust in list(character(0), "intake", c("intake", "change"))) {
    design <- landmark(d, window[1], window[2], adjust)
    effects <- rbind(effects_of(design, "slope", FALSE), effects_of(design, "end", FALSE))
    effects <- effects[!endsWith(effects$id, "contextual"), c("id", "estimate", "ci_low", "ci_high")]
    effects <- plain(effects)
    cat("  window", window, "adjusted:", adjust, "\n")
    out[[length(out) + 1]] <- list(window = window, adjust = as.list(adjust), clients = nrow(design$clients),
                                   therapists = length(unique(design$clients$therapist)), effects = effects)
  }
  out
}

variance_partition <- function(d, names) {
  parts <- lapply(c("a", "y"), function(column) {
    rows <- data.frame(client = d$client, therapist = d$therapist, weeks = d$week, y = d[[column]])
    rows <- rows[!is.na(rows$y), ]
    rbind(shares(fit(LEVEL, rows), "(Intercept)", paste0("level_", names[[column]])),
          shares(fit(CHANGE, rows), "weeks", paste0("change_", names[[column]])))
  })
  do.call(rbind, parts)
}

studies <- list(
  demo = list(file = demo_file, read = read_demo, names = c(a = "alliance", y = "phq9")),
  gad = list(file = gad_file, read = read_gad, names = c(a = "wai", y = "bai"))
)
out <- file.path(here, "early_alliance.json")
asked <- commandArgs(TRUE)
if (length(asked) == 0) asked <- names(studies)
results <- if (file.exists(out)) read_json(out)$studies else list()
for (name in asked) {
  study <- studies[[name]]
  d <- study$read()
  cat(name, nrow(d), "sessions\n")
  results[[name]] <- list(file = basename(study$file), md5 = unname(tools::md5sum(study$file)), early_alliance = early_alliance(d),
                          variance_partition = variance_partition(d, study$names))
}
versions <- sapply(c("lme4", "lmerTest", "Matrix", "numDeriv"), function(p) as.character(packageVersion(p)))
write_json(list(versions = as.list(c(R = as.character(getRversion()), versions)), studies = results[names(studies)]),
           out, digits = 15, auto_unbox = TRUE, pretty = TRUE, na = "null", null = "null")
