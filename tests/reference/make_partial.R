# Clients of therapists beside clients without one (partial nesting): partial.json, by lme4, lmerTest and nlme.
# small/partial.csv is simulated here: 14 therapists, and 50 clients without one who differ more from each other.
# Run: Rscript tests/reference/make_partial.R
suppressPackageStartupMessages({library(nlme); library(lme4); library(lmerTest); library(jsonlite)})
set.seed(38)
k <- 14; therapist <- rep(seq_len(k), times = rep(c(3, 6, 4, 7, 5, 2, 8), 2)); nested <- length(therapist); alone <- 50
has <- c(rep(1, nested), rep(0, alone)); n <- nested + alone
u <- c(rnorm(k, 0, 1.5)[therapist], rep(0, alone)); p <- rnorm(n, 0, ifelse(has == 1, 1.6, 2.8)); x <- rnorm(n)
rows <- do.call(rbind, lapply(0:4, function(s) data.frame(therapist = c(paste0("T", therapist), rep(NA, alone)),
  client = paste0("C", seq_len(n)), weeks = s, x, y = 14 - .5 * s - .6 * x + 1.2 * (1 - has) + u + p + rnorm(n))))
rows <- rows[runif(nrow(rows)) > .15, ]
rows[c("x", "y")] <- round(rows[c("x", "y")], 3)
write.csv(rows, "tests/reference/small/partial.csv", row.names = FALSE, na = "", quote = FALSE)

rows <- read.csv("tests/reference/small/partial.csv", na.strings = "")
rows$has <- as.numeric(!is.na(rows$therapist)); rows$lacks <- 1 - rows$has
share <- mean(tapply(rows$has, rows$client, mean)); rows$kind <- share - rows$has
rows$therapist[rows$has == 0] <- "none"
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(maxfun = 1e5, rhoend = 1e-10))
level <- lmer(y ~ weeks + x + kind + (0 + has | therapist) + (0 + has | client) + (0 + lacks | client), rows, control = control)
last <- do.call(rbind, lapply(split(rows, rows$client), function(d) d[which.max(d$weeks), ]))
share <- mean(last$has); last$kind <- share - last$has
end <- lme(y ~ x + kind, last, random = list(therapist = pdDiag(~ 0 + has)), weights = varIdent(form = ~ 1 | lacks),
           control = lmeControl(msMaxIter = 500, msTol = 1e-12, tolerance = 1e-10, opt = "optim", reltol = 1e-14))
v <- as.data.frame(VarCorr(level))
ratio <- as.numeric(coef(end$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)[c("0", "1")])
write_json(list(
  level = list(coef = fixef(level), se = sqrt(diag(as.matrix(vcov(level)))), df = coef(summary(level))[, "df"],
               vcov = v$vcov, group = v$grp, reml = REMLcrit(level)),
  end = list(coef = fixef(end), se = sqrt(diag(vcov(end))), therapist = as.numeric(VarCorr(end)["has", "Variance"]),
             residual = (end$sigma * ratio)^2, llf = as.numeric(logLik(end)))
), "tests/reference/partial.json", digits = 12, auto_unbox = TRUE, pretty = TRUE)
