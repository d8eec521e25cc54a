# Variance shares of R's performance package: shares.json.
#
#   Rscript tests/reference/make_shares.R
#
# Needs R with lme4, performance and jsonlite; reads small/*.csv of make_profile.R and make_kr_cr2.R.

suppressPackageStartupMessages({
  library(lme4)
  library(performance)
  library(jsonlite)
})

here <- normalizePath(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))
source(file.path(here, "optimum.R"))
models <- list(
  list("sleepstudy", "Reaction ~ Days + (1 | Subject)"),
  list("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
  list("pastes", "strength ~ 1 + (1 | batch) + (1 | sample)"),
  list("three_level", "y ~ week * rating + arm + (1 | outer) + (week | unit)"),
  list("crossed", "y ~ x + group + (1 | person) + (1 | item)")
)
results <- lapply(models, function(model) {
  data <- read.csv(file.path(here, "small", paste0(model[[1]], ".csv")))
  formula <- as.formula(model[[2]])
  fit <- suppressMessages(lmer(formula, data, start = best_theta(formula, data, TRUE)$theta,
    control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 1e-4, rhoend = 1e-10), calc.derivs = FALSE)))
  r2 <- r2_nakagawa(fit)
  levels <- suppressWarnings(try(icc(fit, by_group = TRUE), silent = TRUE))
  slopes <- grepl("week |", model[[2]], fixed = TRUE) || grepl("(Days |", model[[2]], fixed = TRUE)
  list(data = model[[1]], formula = model[[2]], marginal = unname(r2$R2_marginal),
       conditional = unname(r2$R2_conditional), adjusted = icc(fit)$ICC_adjusted,
       groups = if (slopes) NULL else as.list(setNames(levels$ICC, levels$Group)))
})
print(str(results))
versions <- lapply(setNames(nm = c("lme4", "performance")), function(p) as.character(packageVersion(p)))
write_json(list(versions = c(list(R = as.character(getRversion())), versions), models = results),
           file.path(here, "shares.json"), digits = 10, auto_unbox = TRUE, pretty = TRUE, null = "null")
