# Dynamic panels by plm, for tests/methods/test_dynamic_panel.py; a few seconds.
# Debian: r-cran-plm r-cran-jsonlite. Run after make_panel.R, which writes small/panel.csv: Rscript tests/reference/make_dynamic.R
# Data: a panel that is drawn here and written to small/dynamic.csv; small/panel.csv.
suppressMessages({library(plm); library(jsonlite)})
here <- "tests/reference"
# 120 units, 8 times: n with memory and levels of its own, w answers to earlier n, k to nobody; 60 rows are missing.
set.seed(20261201)
u <- rnorm(120); n <- u + rnorm(120); w <- rnorm(120); rows <- list()
for (t in 1:8) {
  k <- .5 * u + rnorm(120); w <- .4 * w - .2 * n + .3 * u + rnorm(120); before <- if (t == 1) w else rows[[t - 1]]$w
  n <- .5 * n + .3 * before + .2 * k + u + .1 * t + rnorm(120)
  rows[[t]] <- data.frame(firm = 1:120, year = t, n = round(n, 3), w = round(w, 3), k = round(k, 3))
}
e <- do.call(rbind, rows); e <- e[order(e$firm, e$year), ]; e <- e[-sample(which(e$year %in% c(1, 2, 7, 8)), 60), ]
write.csv(e, file.path(here, "small", "dynamic.csv"), row.names = FALSE)
e <- pdata.frame(read.csv(file.path(here, "small", "dynamic.csv")), index = c("firm", "year"))
d <- read.csv(file.path(here, "small", "panel.csv")); d <- pdata.frame(d, index = c("id", "t"))
one <- function(f, data, ...) {
  g <- pgmm(f, data = data, ...); two <- g$args$model == "twosteps"; v <- vcovHC(g); k <- length(coef(g))
  list(names = I(names(coef(g))), est = I(unname(coef(g))), se = I(unname(sqrt(diag(v)))),
       own = unname(sargan(g, if (two) "twosteps" else "onestep")$statistic), hansen = unname(sargan(g, "twosteps")$statistic),
       df = unname(sargan(g)$parameter), m1 = as.numeric(mtest(g, 1, vcov = v)$statistic), m2 = as.numeric(mtest(g, 2, vcov = v)$statistic),
       n_instruments = ncol(g$W[[1]]))
}
ar <- n ~ lag(n, 1) | lag(n, 2:99)
pre <- n ~ lag(n, 1) + lag(w, 1) + k | lag(n, 2:99) + lag(w, 2:99)
two <- n ~ lag(n, 1:2) + lag(w, 1) + k | lag(n, 2:99)
out <- list()
for (tr in c("d", "ld")) for (st in c("onestep", "twosteps")) {
  nm <- paste0(tr, "_", st)
  out[[paste0("ar_", nm)]] <- one(ar, e, effect = "individual", model = st, transformation = tr)
  out[[paste0("pre_", nm)]] <- one(pre, e, effect = "individual", model = st, transformation = tr)
}
out$two_d_onestep <- one(two, e, effect = "individual", model = "onestep", transformation = "d")
out$times_d_twosteps <- one(pre, e, effect = "twoways", model = "twosteps", transformation = "d")
out$times_ld_onestep <- one(pre, e, effect = "twoways", model = "onestep", transformation = "ld")
out$collapsed_d_twosteps <- one(pre, e, effect = "individual", model = "twosteps", transformation = "d", collapse = TRUE)
out$collapsed_ld_onestep <- one(pre, e, effect = "individual", model = "onestep", transformation = "ld", collapse = TRUE)
out$short_d_onestep <- one(n ~ lag(n, 1) + lag(w, 1) + k | lag(n, 2:4) + lag(w, 2:4), e, effect = "individual", model = "onestep", transformation = "d")
out$missing_d_twosteps <- one(y ~ lag(y, 1) + lag(x, 1) | lag(y, 2:99) + lag(x, 2:99), d, effect = "individual", model = "twosteps", transformation = "d")
out$missing_ld_onestep <- one(y ~ lag(y, 1) + lag(x, 1) | lag(y, 2:99) + lag(x, 2:99), d, effect = "individual", model = "onestep", transformation = "ld")
simple <- function(m) list(names = I(names(coef(m))), est = I(unname(coef(m))), se = I(unname(sqrt(diag(vcovHC(m, method = "arellano", type = "HC0"))))))
f <- n ~ lag(n, 1) + lag(w, 1) + k
out$within <- simple(plm(f, e, model = "within"))
out$ols <- simple(plm(f, e, model = "pooling"))
e$dn <- diff(e$n); e$dn1 <- lag(e$dn, 1); e$dw1 <- diff(lag(e$w, 1)); e$dk <- diff(e$k); e$n2 <- lag(e$n, 2); e$w2 <- lag(e$w, 2)
out$anderson_hsiao <- simple(plm(dn ~ dn1 + dw1 + dk - 1 | n2 + w2 + dk - 1, e, model = "pooling"))
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, na = "null"), file.path(here, "dynamic.json"))
