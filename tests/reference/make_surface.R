# Response surfaces: surface.json. Least squares by lm; features and their delta-method errors by lavaan (as the R package
# RSA computes them), and with a random intercept by lme4 and lmerTest.
# Data: motive_congruence_rsa.csv, the example of the R package RSA (GPL), read from beside the checkout and not committed.
# Run: Rscript tests/reference/make_surface.R
suppressPackageStartupMessages({library(lavaan); library(lme4); library(lmerTest); library(jsonlite)})
d <- read.csv("../shared/data/motive_congruence_rsa.csv")
d <- data.frame(y = d$postVA, x = d$ePow, z = d$iPow)
d <- d[complete.cases(d), ]
d <- transform(d, x2 = x^2, xz = x * z, z2 = z^2)
d$group <- rep(seq_len(12), length.out = nrow(d))
d$y2 <- d$y + rep(c(-1, .5, .2, 0, .9, -.6, .3, .1, -.4, .7, -.8, .1), length.out = nrow(d))
ols <- lm(y ~ x + z + x2 + xz + z2, d)
model <- "
  y ~ 1 + b1*x + b2*z + b3*x2 + b4*xz + b5*z2
  a1 := b1 + b2
  a2 := b3 + b4 + b5
  a3 := b1 - b2
  a4 := b3 - b4 + b5
  a5 := b3 - b5
  X0 := (b2*b4 - 2*b1*b5) / (4*b3*b5 - b4^2)
  Y0 := (b1*b4 - 2*b2*b3) / (4*b3*b5 - b4^2)
  p11 := (b5 - b3 + sqrt(((b3 - b5)^2) + (b4^2))) / b4
  p10 := Y0 - p11*X0
"
fit <- sem(model, d, fixed.x = TRUE)
e <- parameterEstimates(fit)
e <- e[e$op == ":=", c("label", "est", "se")]
mixed <- lmer(y2 ~ x + z + x2 + xz + z2 + (1 | group), d)
L <- rbind(a1 = c(0, 1, 1, 0, 0, 0), a2 = c(0, 0, 0, 1, 1, 1), a3 = c(0, 1, -1, 0, 0, 0), a4 = c(0, 0, 0, 1, -1, 1), a5 = c(0, 0, 0, 1, 0, -1))
m <- contest(mixed, L, joint = FALSE)
out <- list(n = nrow(d), coef = coef(ols), vcov = vcov(ols),
            features = setNames(lapply(seq_len(nrow(e)), function(i) list(est = e$est[i], se_ml = e$se[i])), e$label),
            mixed = list(est = m$Estimate, se = m$`Std. Error`, df = m$df),
            r = R.version.string, lavaan = as.character(packageVersion("lavaan")))
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = TRUE), "tests/reference/surface.json")
