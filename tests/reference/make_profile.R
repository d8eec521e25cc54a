# Profile intervals of lme4, and restricted likelihood-ratio tests of RLRsim: profile.json.
#
#   Rscript tests/reference/make_profile.R
#
# Needs R with lme4, RLRsim and jsonlite. Data: sleepstudy (Belenky et al. 2003), Pastes, Penicillin, Dyestuff (Davies and
# Goldsmith 1972) and Dyestuff2 (Box and Tiao 1973), published figures as lme4 (GPL) holds them, written to small/; and
# small/three_level.csv, which make_kr_cr2.R makes. lme4 profiles the full likelihood also where a model was
# fitted by REML, so all models are fitted by maximum likelihood here, to the polished optimum of optimum.R.

suppressPackageStartupMessages({
  library(lme4)
  library(RLRsim)
  library(jsonlite)
})

here <- normalizePath(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))
source(file.path(here, "optimum.R"))
small <- function(name) read.csv(file.path(here, "small", paste0(name, ".csv")))
growth <- small("three_level")
for (name in c("sleepstudy", "Pastes", "Penicillin", "Dyestuff", "Dyestuff2")) {
  write.csv(get(name), file.path(here, "small", paste0(tolower(name), ".csv")), row.names = FALSE, quote = FALSE)
}

models <- list(
  list("sleepstudy", sleepstudy, "Reaction ~ Days + (Days | Subject)"),
  list("Pastes", Pastes, "strength ~ 1 + (1 | batch/cask)"),
  list("Penicillin", Penicillin, "diameter ~ 1 + (1 | plate) + (1 | sample)"),
  list("Dyestuff", Dyestuff, "Yield ~ 1 + (1 | Batch)"),
  list("Dyestuff2", Dyestuff2, "Yield ~ 1 + (1 | Batch)"),
  list("three_level", growth, "y ~ week + arm + (1 | outer) + (1 | unit) + (0 + week | unit)")
)

# A finer grid than lme4's default, so that its interpolation is good to five digits.
profiles <- lapply(models, function(model) {
  formula <- as.formula(model[[3]])
  data <- model[[2]]
  theta <- best_theta(formula, data, FALSE)$theta
  fit <- suppressWarnings(suppressMessages(lmer(
    formula, data, REML = FALSE, start = theta,
    control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 1e-4, rhoend = 1e-10), calc.derivs = FALSE))))
  made <- suppressWarnings(profile(fit, signames = FALSE, delta.cutoff = 1 / 32, maxpts = 300, devtol = 1e-6))
  limits <- suppressWarnings(confint(made, level = 0.95))
  cat(model[[1]], deviance(fit), "\n")
  print(limits)
  list(data = model[[1]], formula = model[[3]], deviance = deviance(fit), parameters = I(rownames(limits)),
       lower = unname(limits[, 1]), upper = unname(limits[, 2]))
})

tests <- list()
add <- function(name, data, full, null, term) {
  whole <- suppressMessages(lmer(as.formula(full), data))
  test <- if (is.null(null)) {
    suppressMessages(exactRLRT(whole, seed = 1, nsim = 1e5))
  } else {
    suppressMessages(exactRLRT(lmer(as.formula(term), data), whole, lmer(as.formula(null), data), seed = 1, nsim = 1e5))
  }
  cat(name, full, test$statistic, test$p.value, "\n")
  tests[[length(tests) + 1]] <<- list(data = name, full = full, null = null, statistic = unname(test$statistic), p = test$p.value)
}
add("Dyestuff", Dyestuff, "Yield ~ 1 + (1 | Batch)", NULL, NULL)
add("Pastes", Pastes, "strength ~ 1 + (1 | batch) + (1 | sample)", "strength ~ 1 + (1 | sample)", "strength ~ 1 + (1 | batch)")
add("sleepstudy", sleepstudy, "Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)",
    "Reaction ~ Days + (0 + Days | Subject)", "Reaction ~ Days + (1 | Subject)")

versions <- lapply(setNames(nm = c("lme4", "RLRsim")), function(p) as.character(packageVersion(p)))
write_json(list(versions = c(list(R = as.character(getRversion())), versions), profiles = profiles, tests = tests),
           file.path(here, "profile.json"), digits = 10, auto_unbox = TRUE, pretty = TRUE, null = "null")
