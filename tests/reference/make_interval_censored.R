# Figures of Turnbull's estimate by R's survival: Rscript tests/reference/make_interval_censored.R
library(survival)
library(jsonlite)
looks <- read.csv("tests/reference/small/looks.csv")
left <- ifelse(looks$low == 0, NA, looks$low)   # NA: from the beginning
fit <- survfit(Surv(left, looks$high, type = "interval2") ~ 1)
s <- summary(fit, times = c(2, 4, 6, 8), extend = TRUE)
writeLines(toJSON(list(times = c(2, 4, 6, 8), cumulative = 1 - s$surv,
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival")))),
  auto_unbox = TRUE, digits = 10), "tests/reference/interval_censored.json")
