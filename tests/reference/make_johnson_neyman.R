# Johnson-Neyman with degrees of freedom of the slope at each value of the moderator, by lmerTest and root finding.
# Writes tests/reference/johnson_neyman.json and small/moderated.csv. Run: Rscript tests/reference/make_johnson_neyman.R
suppressMessages({library(lme4); library(lmerTest); library(jsonlite)})
set.seed(20261130)
J <- 12; n <- 8
d <- data.frame(g = rep(seq_len(J), each = n), m = rep(round(rnorm(J), 2), each = n), x = round(rnorm(J * n), 2))
u <- rnorm(J, 0, 1); s <- rnorm(J, 0, .6)
d$y <- round(2 + u[d$g] + (.3 + s[d$g]) * d$x + .7 * d$x * d$m + rnorm(J * n), 3)
write.csv(d, "tests/reference/small/moderated.csv", row.names = FALSE)
fit <- lmer(y ~ x * m + (x | g), d)
at <- c(-2, -1, 0, 1, 2)
of <- function(ddf) {
  slope <- function(v) contest1D(fit, c(0, 1, 0, v), ddf = ddf)
  excess <- function(v) { r <- slope(v); abs(r[["t value"]]) - qt(.975, r[["df"]]) }
  grid <- seq(-12, 12, length.out = 241); e <- sapply(grid, excess)
  k <- which(diff(sign(e)) != 0)
  roots <- sapply(k, function(i) uniroot(excess, grid[i + 0:1], tol = 1e-12)$root)
  table <- do.call(rbind, lapply(at, slope))
  list(roots = roots, df_at_roots = sapply(roots, function(v) slope(v)[["df"]]), outside = excess(1e6) > 0,
       estimate = table[["Estimate"]], se = table[["Std. Error"]], df = table[["df"]])
}
out <- list(at = at, satterthwaite = of("Satterthwaite"), kenward_roger = of("Kenward-Roger"), singular = isSingular(fit),
            r = R.version.string, lmerTest = as.character(packageVersion("lmerTest")))
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = TRUE), "tests/reference/johnson_neyman.json")
