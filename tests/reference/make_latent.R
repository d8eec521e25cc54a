# Latent means of groups by lavaan's two-level models and by lme4, for tests/methods/test_latent_contextual.py; a minute.
# Debian: r-cran-lavaan r-cran-lme4 r-cran-nlme r-cran-jsonlite. Run: Rscript tests/reference/make_latent.R
# Data: 60 groups of 3 to 9 that are drawn here and written to small/contextual.csv; MathAchieve of nlme (GPL >= 2), results only.
suppressMessages({library(lavaan); library(lme4); library(jsonlite); library(nlme)})
here <- "tests/reference"
set.seed(20261202)
size <- sample(3:9, 60, TRUE); g <- rep(1:60, size); n <- length(g)
v <- round(rnorm(60), 2); mu <- .6 * rnorm(60) + .3 * v; u <- .4 * rnorm(60); w <- rnorm(n); w <- round(w - ave(w, g), 2)
xw <- rnorm(n) + .3 * w
d <- data.frame(g = g, x = round(4 + mu[g] + xw, 2), w = w, v = v[g])
d$y <- round(10 + .2 * xw + .7 * mu[g] + .3 * w - .4 * v[g] + u[g] + rnorm(n), 2)
write.csv(d, file.path(here, "small", "contextual.csv"), row.names = FALSE)
d <- read.csv(file.path(here, "small", "contextual.csv"))
one <- function(model, data = d, group = "g") {
  for (tol in c(1e-12, 1e-11, 1e-10)) {
    f <- suppressWarnings(sem(model, data, cluster = group, information = "observed", fixed.x = FALSE, control = list(rel.tol = tol)))
    if (lavInspect(f, "converged")) break
  }
  e <- parameterEstimates(f); e <- e[e$label != "" & !duplicated(e$label), ]
  list(converged = lavInspect(f, "converged"), names = e$label, est = e$est, se = e$se, llf = as.numeric(fitMeasures(f, "logl")))
}
plain <- "level: 1\n y ~ bw*x\n level: 2\n y ~ bb*x\n contextual := bb - bw"
both <- "level: 1\n y ~ bw*x + w\n x ~~ w\n level: 2\n y ~ bb*x + v\n x ~~ v\n contextual := bb - bw"
moment <- function(data, y = "y", x = "x", group = "g") {
  data <- data.frame(y = data[[y]], x = data[[x]], g = data[[group]]); data$m <- ave(data$x, data$g); data$w <- data$x - data$m
  v <- as.data.frame(VarCorr(lmer(x ~ 1 + (1 | g), data)))$vcov; f <- lmer(y ~ w + m + (1 | g), data)
  rho <- v[1] / sum(v); nh <- 1 / mean(1 / table(data$g)); lam <- nh * rho / (1 + (nh - 1) * rho)
  b <- fixef(f)[c("w", "m")]; list(rho = rho, lam = lam, n = nh, within = b[[1]], between = b[[1]] + (b[[2]] - b[[1]]) / lam)
}
math <- as.data.frame(MathAchieve)
out <- list(plain = one(plain), both = one(both), moment = moment(d), math = moment(math, "MathAch", "SES", "School"),
            math_ml = one(gsub("y ~", "MathAch ~", gsub("*x", "*SES", plain, fixed = TRUE)), math, "School"))
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, na = "null"), file.path(here, "latent.json"))
str(out)
