# Power of planned studies from R's own noncentral t and F distributions: planning.json.
# Run: Rscript tests/reference/make_planning.R
library(jsonlite)
two_sided <- function(d, df) pt(-qt(.975, df), df, d) + pt(qt(.975, df), df, d, lower.tail = FALSE)
between <- expand.grid(effect = c(-.5, .2), therapists = c(3, 12, 40), clients = c(1, 10), tau = c(0, .1), sigma2 = c(.9, 4))
between$power <- with(between, two_sided(abs(effect) / sqrt((tau + sigma2 / clients) / (therapists - 1)), therapists - 2))
within <- expand.grid(effect = c(-.3, .1), therapists = c(1, 5, 30), clients = c(3, 12), sigma2 = c(.9, 4))
within$power <- with(within, {
  left <- therapists * clients - therapists
  two_sided(abs(effect) / sqrt(sigma2 / left), left - 1)
})
partial <- expand.grid(effect = c(-.6, .3), groups = c(2, 8, 20), size = c(1, 6), controls = c(2, 60), icc = c(0, .05, .3))
partial$power <- with(partial, {
  v1 <- (icc + (1 - icc) / size) / groups
  v0 <- 1 / controls
  two_sided(abs(effect) / sqrt(v1 + v0), (v1 + v0)^2 / (v1^2 / (groups - 1) + v0^2 / (controls - 1)))
})
variance <- expand.grid(therapists = c(2, 10, 50), clients = c(2, 5, 30), icc = c(0, .03, .2))
variance$zero <- with(variance, pf(1 / (1 + clients * icc / (1 - icc)), therapists - 1, therapists * (clients - 1)))
variance$power <- with(variance, {
  d2 <- therapists * (clients - 1)
  pf(qf(.95, therapists - 1, d2) / (1 + clients * icc / (1 - icc)), therapists - 1, d2, lower.tail = FALSE)
})
slopes <- expand.grid(difference = c(-.5, .2), sigma2 = c(100, 37), rho = c(0, .5, .9), power = c(.5, .8, .95), one_sided = c(TRUE, FALSE))
times <- c(0, 1, 3.5, 8)
slopes$clients <- with(slopes, {
  z <- qnorm(ifelse(one_sided, .95, .975)) + qnorm(power)
  2 * z^2 * sigma2 * (1 - rho) / (sum((times - mean(times))^2) * difference^2)
})
out <- list(between = between, within = within, partial = partial, variance = variance, slopes = slopes, times = times,
            r = R.version.string)
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = TRUE), "tests/reference/planning.json")
