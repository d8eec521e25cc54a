# Pattern mixture with lme4: the coefficient in completers, the difference, and the average with the share's own variance.
# Data from beside the checkout, not committed. Writes tests/reference/pattern_mixture.json.
# Run: Rscript tests/reference/make_pattern_mixture.R
suppressMessages({library(lme4); library(jsonlite)})
average <- function(fit, term, pattern, left) {
  b <- fixef(fit); v <- as.matrix(vcov(fit)); other <- setdiff(grep(term, names(b), fixed = TRUE), match(term, names(b)))
  other <- other[grepl(pattern, names(b)[other])]; p <- mean(left); n <- length(left)
  g <- rep(0, length(b)); g[match(term, names(b))] <- 1; g[other] <- p; d <- b[[other]]
  list(completers = c(b[[term]], sqrt(v[term, term])), difference = c(d, sqrt(v[other, other])),
       average = c(sum(g * b), sqrt(c(t(g) %*% v %*% g) + d^2 * p * (1 - p) / n)), share = p, n = n)
}
d <- read.csv("../shared/data/reframed.csv", na.strings = c("NA", "NaN", ""))
d <- d[d$month != "Post-Rx", ]; d$month <- as.integer(d$month); d <- d[d$month <= 12 & !is.na(d$phq9), ]
d$lg <- log(d$month + 1); d$rx <- as.numeric(d$grp == "RO-DBT")
d$left <- as.numeric(!(d$patient %in% d$patient[d$month == 12]))
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), calc.derivs = FALSE)
mar <- lmer(phq9 ~ lg * rx + (1 + lg | patient), d, REML = FALSE, control = tight)
mix <- lmer(phq9 ~ lg * rx * left + (1 + lg | patient), d, REML = FALSE, control = tight)
w <- read.csv("../shared/data/beat_the_blues_bdi.csv"); months <- c(2, 3, 5, 8)
w$left <- as.numeric(is.na(w$bdi.8m)); w$trt <- as.numeric(w$treatment == "BtheB")
l <- do.call(rbind, lapply(months, function(m) data.frame(w[c("id", "left", "trt")], pre = w$bdi.pre, time = m, bdi = w[[paste0("bdi.", m, "m")]])))
l <- l[!is.na(l$bdi), ]
blues <- lmer(bdi ~ (pre + time + trt) * left + (1 | id), l, REML = FALSE, control = tight)
once <- function(x, id) x[!duplicated(id)]
out <- list(reframed = c(average(mix, "lg:rx", "left", once(d$left, d$patient)),
                         list(mar = c(fixef(mar)[["lg:rx"]], sqrt(vcov(mar)["lg:rx", "lg:rx"])))),
            blues = average(blues, "trt", "left", once(l$left, l$id)), lme4 = as.character(packageVersion("lme4")))
writeLines(toJSON(out, digits = 10, auto_unbox = TRUE, pretty = TRUE), "tests/reference/pattern_mixture.json")
