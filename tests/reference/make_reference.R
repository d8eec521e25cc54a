# Fits the reference models with lme4 and lmerTest and writes lme4.json and session_info.txt beside this file.
#
#   Rscript tests/reference/make_reference.R
#
# Needs R with lme4, lmerTest and jsonlite. Reads the folder of real data beside the checkout. For the data
# sets that come with lme4 only the fitted figures are kept; the rows are written to build/reference_data/
# (not committed), so that compare.py can fit them while R is at hand.
# Each optimum is polished by optimum.R.

suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(jsonlite)
})

here <- normalizePath(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))
root <- normalizePath(file.path(here, "..", ".."))
shared <- file.path(root, "..", "shared", "data")
scratch <- file.path(root, "build", "reference_data")
dir.create(scratch, recursive = TRUE, showWarnings = FALSE)
source(file.path(here, "optimum.R"))

# ---------------------------------------------------------------- data

read_shared <- function(name) read.csv(file.path(shared, name), stringsAsFactors = FALSE)

# Anxiety clients: alliance = mean of the answered of 9 items when at least 5 are, BAI total / 10, time from 0.
gad <- function() {
  d <- read_shared("implement_gad_sessions_rescaled.csv")
  items <- as.matrix(d[, grep("^wai_(task|goal|bond)[1-3]$", names(d))])
  d$wai <- ifelse(rowSums(!is.na(items)) >= 5, rowMeans(items, na.rm = TRUE), NA)
  d$bai <- d$bai_total / 10
  d$time <- d$session - 1
  d <- d[order(d$client, d$session), c("client", "therapist", "session", "time", "wai", "bai")]
  at <- function(lag, column) d[[column]][match(paste(d$client, d$session + lag), paste(d$client, d$session))]
  d$bai_next <- at(1, "bai")
  d
}

# The between part is the mean of all of a client's ratings, also of those the model cannot use.
split_person <- function(d, predictor, used) {
  d$between <- ave(d[[predictor]], d$client, FUN = function(x) mean(x, na.rm = TRUE))
  d$within <- d[[predictor]] - d$between
  d[complete.cases(d[, used]), ]
}

from_lme4 <- function(name) {
  d <- get(data(list = name, package = "lme4", envir = environment()))
  write.csv(d, file.path(scratch, paste0(name, ".csv")), row.names = FALSE)
  d
}

g <- gad()
sets <- list(
  dyestuff = from_lme4("Dyestuff"),
  dyestuff2 = from_lme4("Dyestuff2"),
  sleepstudy = from_lme4("sleepstudy"),
  pastes = from_lme4("Pastes"),
  penicillin = from_lme4("Penicillin"),
  sleepstudy_unbalanced = read_shared("sleepstudy_unbalanced.csv"),
  rom_sim = read_shared("rom_sim.csv"),
  three_level_growth = read_shared("three_level_growth.csv"),
  gad = g,
  gad_next = split_person(g, "wai", c("wai", "bai_next")),
  gad_next_bai = split_person(g, "wai", c("wai", "bai_next", "bai")),
  gad_same = split_person(g, "bai", c("wai", "bai"))
)

# ---------------------------------------------------------------- models: name, data, formula, REML

models <- list(
  list("dyestuff", "dyestuff", "Yield ~ 1 + (1 | Batch)", TRUE),
  list("dyestuff_ml", "dyestuff", "Yield ~ 1 + (1 | Batch)", FALSE),
  list("dyestuff2_boundary", "dyestuff2", "Yield ~ 1 + (1 | Batch)", TRUE),
  list("sleepstudy", "sleepstudy", "Reaction ~ Days + (Days | Subject)", TRUE),
  list("sleepstudy_ml", "sleepstudy", "Reaction ~ Days + (Days | Subject)", FALSE),
  list("sleepstudy_uncorrelated", "sleepstudy", "Reaction ~ Days + (Days || Subject)", TRUE),
  list("sleepstudy_unbalanced", "sleepstudy_unbalanced", "Reaction ~ Days + (Days | Subject)", TRUE),
  list("pastes", "pastes", "strength ~ 1 + (1 | batch/cask)", TRUE),
  list("pastes_ml", "pastes", "strength ~ 1 + (1 | batch/cask)", FALSE),
  list("penicillin_crossed", "penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", TRUE),
  list("penicillin_crossed_ml", "penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", FALSE),
  list("rom_null", "rom_sim", "y ~ 1 + (1 | th) + (1 | cl)", TRUE),
  list("rom_growth", "rom_sim", "y ~ ses + (ses | th) + (ses | cl)", TRUE),
  list("rom_growth_ml", "rom_sim", "y ~ ses + (ses | th) + (ses | cl)", FALSE),
  list("rom_growth_uncorrelated", "rom_sim", "y ~ ses + (ses | th) + (ses || cl)", TRUE),
  list("three_level_growth", "three_level_growth",
       "phq9 ~ week * alliance + trt + (week | therapist) + (week | therapist:client)", TRUE),
  list("three_level_growth_ml", "three_level_growth",
       "phq9 ~ week * alliance + trt + (week | therapist) + (week | therapist:client)", FALSE),
  list("gad_wai_null", "gad", "wai ~ 1 + (1 | therapist) + (1 | therapist:client)", TRUE),
  list("gad_bai_null_boundary", "gad", "bai ~ 1 + (1 | therapist) + (1 | therapist:client)", TRUE),
  list("gad_wai_growth", "gad", "wai ~ time + (time | client)", TRUE),
  list("gad_bai_growth", "gad", "bai ~ time + (time | client)", TRUE),
  list("gad_wai_to_next_bai", "gad_next", "bai_next ~ within + between + time + (1 | client)", TRUE),
  list("gad_wai_to_next_bai_adjusted", "gad_next_bai",
       "bai_next ~ within + between + bai + time + (1 | client)", TRUE),
  list("gad_bai_to_same_wai", "gad_same", "wai ~ within + between + time + (1 | client)", TRUE)
)

# ---------------------------------------------------------------- figures

figures <- function(model) {
  name <- model[[1]]
  formula <- as.formula(model[[3]])
  data <- sets[[model[[2]]]]
  reml <- model[[4]]
  best <- best_theta(formula, data, reml)
  control <- lmerControl(optimizer = "stay", calc.derivs = FALSE)
  # lmerTest finds the model again by its call, so the call has to hold the values themselves.
  fit <- suppressMessages(eval(bquote(
    lmerTest::lmer(.(formula), data = .(data), REML = .(reml), start = .(best$theta), control = .(control))
  )))
  table <- coef(summary(fit))
  variances <- as.data.frame(VarCorr(fit))
  cat(sprintf("%-32s %.8f  (best of lme4: %s, polished by %.1e)\n", name, -2 * c(logLik(fit)), best$name, best$gain))
  list(
    name = name, data = model[[2]], formula = model[[3]], reml = reml,
    nobs = nobs(fit), n_groups = as.list(ngrps(fit)), singular = isSingular(fit),
    criterion = -2 * as.numeric(logLik(fit)), sigma = sigma(fit),
    params = as.list(setNames(table[, "Estimate"], rownames(table))),
    bse = as.list(setNames(table[, "Std. Error"], rownames(table))),
    df = as.list(setNames(table[, "df"], rownames(table))),
    varcorr = variances,
    polish = best$gain
  )
}

results <- lapply(models, figures)
versions <- list(
  R = as.character(getRversion()), lme4 = as.character(packageVersion("lme4")),
  lmerTest = as.character(packageVersion("lmerTest")), Matrix = as.character(packageVersion("Matrix"))
)
write_json(list(versions = versions, models = results), file.path(here, "lme4.json"),
           digits = 12, auto_unbox = TRUE, pretty = TRUE, na = "null")
info <- capture.output(print(sessionInfo(), locale = FALSE))
writeLines(grep("BLAS|LAPACK|^Running|^Matrix products", info, invert = TRUE, value = TRUE),
           file.path(here, "session_info.txt"))
