# Public data sets of R packages with lme4, lmerTest, pbkrtest and clubSandwich: public.json.
#
#   Rscript tests/reference/make_public.R
#
# Needs R with lme4, lmerTest, pbkrtest, clubSandwich, nlme, mlmRev, HSAUR3 and jsonlite. Machines (Milliken and Johnson
# 1992), Oats (Yates 1935) and Oxboys (Goldstein 1987) are published figures that nlme (GPL) holds; they are written to
# small/. egsingle, Exam and Chem97 (mlmRev, GPL), BtheB (HSAUR3, GPL; Proudfoot et al. 2003), MathAchieve (nlme) and
# InstEval (lme4) are larger or of patients: their rows go to build/reference_data and are not committed.
# The other small ones are read from small/, three_level_growth and sleepstudy_unbalanced from beside the checkout.
# Each optimum is polished by optimum.R.

suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(pbkrtest)
  library(clubSandwich)
  library(nlme)
  library(mlmRev)
  library(HSAUR3)
  library(jsonlite)
})
lmer <- lme4::lmer

here <- normalizePath(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))
root <- normalizePath(file.path(here, "..", ".."))
scratch <- file.path(root, "build", "reference_data")
dir.create(scratch, recursive = TRUE, showWarnings = FALSE)
source(file.path(here, "optimum.R"))

# ---------------------------------------------------------------- data: what R fits is what is read back from the file

kept <- function(name, d, folder) {
  file <- file.path(folder, paste0(name, ".csv"))
  write.csv(d, file, row.names = FALSE, quote = FALSE)
  read.csv(file, stringsAsFactors = TRUE)
}
plain <- function(d) {
  d <- as.data.frame(d)
  d[] <- lapply(d, function(column) if (is.factor(column)) as.character(column) else column)
  d
}
beat_the_blues <- function() {
  wide <- BtheB
  months <- c(2, 3, 5, 8)
  each <- lapply(months, function(m) data.frame(
    subject = seq_len(nrow(wide)), drug = as.integer(wide$drug == "Yes"), length = as.integer(wide$length == ">6m"),
    treatment = as.integer(wide$treatment == "BtheB"), bdi_pre = wide$bdi.pre, time = m, bdi = wide[[paste0("bdi.", m, "m")]]))
  d <- do.call(rbind, each)
  d <- d[order(d$subject, d$time), ]
  d[complete.cases(d), ]
}

small <- file.path(here, "small")
schools <- plain(egsingle)[, c("schoolid", "childid", "year", "math", "female")]
pupils <- plain(MathAchieve)[, c("School", "SES", "MathAch")]
pupils$meanses <- ave(pupils$SES, pupils$School)
pupils$own <- pupils$SES - pupils$meanses
sets <- list(
  machines_nlme = kept("machines_nlme", plain(Machines), small),
  oats = kept("oats", plain(Oats), small),
  oxboys = kept("oxboys", plain(Oxboys)[, c("Subject", "age", "height")], small),
  egsingle = kept("egsingle", schools, scratch),
  egsingle_20 = kept("egsingle_20", schools[schools$schoolid %in% levels(egsingle$schoolid)[1:20], ], scratch),
  exam = kept("Exam", plain(Exam)[, c("school", "normexam", "standLRT")], scratch),
  chem97 = kept("Chem97", plain(Chem97), scratch),
  btheb = kept("BtheB", beat_the_blues(), scratch),
  math_achieve = kept("MathAchieve", pupils, scratch),
  insteval = kept("InstEval", plain(InstEval), scratch),
  sleepstudy = read.csv(file.path(small, "sleepstudy.csv")),
  dyestuff2 = read.csv(file.path(small, "dyestuff2.csv")),
  pastes = read.csv(file.path(small, "pastes.csv")),
  penicillin = read.csv(file.path(small, "penicillin.csv")),
  orthodont = transform(read.csv(file.path(small, "orthodont.csv")), sex = factor(sex, c("Male", "Female"))),
  body_weight = read.csv(file.path(small, "body_weight.csv")),
  ovary = read.csv(file.path(small, "ovary.csv")),
  three_level_growth = read.csv(file.path(root, "..", "shared", "data", "three_level_growth.csv")),
  sleepstudy_unbalanced = read.csv(file.path(root, "..", "shared", "data", "sleepstudy_unbalanced.csv"))
)
sets$sleepstudy_unbalanced$Subject <- factor(sets$sleepstudy_unbalanced$Subject)

# ---------------------------------------------------------------- models

growth <- "phq9 ~ week * alliance + trt + (week | therapist) + (week | therapist:client)"
school <- "math ~ year + (year | schoolid) + (year | childid)"
trial <- "bdi ~ bdi_pre + time + treatment + drug + length"
one <- function(name, data, formula, reml = TRUE, df = TRUE, kr = FALSE, clusters = NULL, joint = NULL, quick = FALSE) {
  as.list(environment())
}
models <- list(
  one("egsingle", "egsingle", school, clusters = "schoolid"),
  one("egsingle, ML", "egsingle", school, FALSE, df = FALSE),
  one("egsingle, empty", "egsingle", "math ~ 1 + (1 | schoolid) + (1 | childid)"),
  one("egsingle, 20 schools", "egsingle_20", "math ~ year * female + (year | schoolid) + (year | childid)", kr = TRUE),
  one("InstEval", "insteval", "y ~ 1 + (1 | s) + (1 | d) + (1 | dept:service)", FALSE, df = FALSE, quick = TRUE),
  one("Oxboys", "oxboys", "height ~ age + (age | Subject)", kr = TRUE),
  one("Oats", "oats", "yield ~ nitro + (1 | Block/Variety)", kr = TRUE),
  one("Machines", "machines_nlme", "score ~ Machine + (Machine | Worker)", kr = TRUE, joint = c("MachineB", "MachineC")),
  one("Exam", "exam", "normexam ~ standLRT + (standLRT | school)", FALSE, df = FALSE),
  one("Chem97", "chem97", "score ~ gcsecnt + (1 | school) + (1 | lea)", FALSE, df = FALSE),
  one("BtheB, intercepts, ML", "btheb", paste(trial, "+ (1 | subject)"), FALSE),
  one("BtheB, slopes, ML", "btheb", paste(trial, "+ (time | subject)"), FALSE),
  one("BtheB, intercepts", "btheb", paste(trial, "+ (1 | subject)"), kr = TRUE, clusters = "subject"),
  one("MathAchieve", "math_achieve", "MathAch ~ own + meanses + (1 | School)"),
  one("MathAchieve, empty", "math_achieve", "MathAch ~ 1 + (1 | School)"),
  one("sleepstudy", "sleepstudy", "Reaction ~ Days + (Days | Subject)", kr = TRUE, clusters = "Subject"),
  one("sleepstudy, uncorrelated", "sleepstudy", "Reaction ~ Days + (Days || Subject)", kr = TRUE),
  one("sleepstudy less 60 rows", "sleepstudy_unbalanced", "Reaction ~ Days + (Days | Subject)", kr = TRUE, clusters = "Subject"),
  one("Dyestuff2", "dyestuff2", "Yield ~ 1 + (1 | Batch)", kr = TRUE),
  one("Pastes", "pastes", "strength ~ 1 + (1 | batch/cask)", kr = TRUE),
  one("Penicillin", "penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", kr = TRUE),
  one("Orthodont", "orthodont", "distance ~ age * sex + (age | subject)", kr = TRUE),
  one("BodyWeight", "body_weight", "weight ~ time * diet + (time | rat)"),
  one("Ovary", "ovary", "follicles ~ s + c + (1 + s || mare)"),
  one("three_level_growth", "three_level_growth", growth, kr = TRUE, clusters = "therapist", joint = c("week", "week:alliance"))
)

# ---------------------------------------------------------------- figures

at_optimum <- function(model, lmer = lme4::lmer) {
  formula <- as.formula(model$formula)
  data <- sets[[model$data]]
  best <- if (model$quick) best_theta(formula, data, model$reml, "nloptwrap", 0) else best_theta(formula, data, model$reml)
  control <- lmerControl(optimizer = "stay", calc.derivs = FALSE)
  control$checkConv <- NULL
  suppressWarnings(suppressMessages(eval(bquote(
    .(lmer)(.(formula), data = .(data), REML = .(model$reml), start = .(best$theta), control = .(control))))))
}

figures <- function(model) {
  began <- proc.time()[["elapsed"]]
  fit <- at_optimum(model)
  names <- names(fixef(fit))
  tested <- if (model$df) suppressMessages(as_lmerModLmerTest(fit))
  joint <- if (!is.null(model$joint)) diag(length(names))[match(model$joint, names), , drop = FALSE]
  out <- list(
    name = model$name, data = model$data, formula = model$formula, reml = model$reml, nobs = nobs(fit),
    singular = isSingular(fit), criterion = -2 * as.numeric(logLik(fit)),
    params = as.list(fixef(fit)), bse = as.list(setNames(sqrt(diag(as.matrix(vcov(fit)))), names)),
    df = if (model$df) as.list(setNames(coef(summary(tested))[, "df"], names)),
    varcorr = as.data.frame(VarCorr(fit)))
  if (!is.null(joint)) {
    test <- contestMD(tested, joint)
    out$joint <- list(terms = I(model$joint), satterthwaite = list(f = test[["F value"]], df_den = test[["DenDF"]]))
    kr <- KRmodcomp(fit, joint)$stats
    out$joint$kr <- list(f = kr$Fstat, df_den = kr$ddf, scale = kr$F.scaling)
  }
  if (model$kr) {
    each <- vapply(seq_along(names), function(i) KRmodcomp(fit, diag(length(names))[i, , drop = FALSE])$stats$ddf, 0)
    out$kr <- list(se = as.list(setNames(sqrt(diag(as.matrix(vcovAdj(fit)))), names)), df = as.list(setNames(each, names)))
  }
  if (!is.null(model$clusters)) {
    table <- coef_test(fit, vcov = vcovCR(fit, cluster = sets[[model$data]][[model$clusters]], type = "CR2"), test = "Satterthwaite")
    out$cr2 <- list(clusters = model$clusters, se = as.list(setNames(table$SE, names)), df = as.list(setNames(table$df_Satt, names)))
  }
  cat(sprintf("%-26s %.8f  %.0f s\n", model$name, out$criterion, proc.time()[["elapsed"]] - began))
  out
}

results <- lapply(models, figures)

# lme4's own profile limits of the trial with slopes, on its default grid, from the polished optimum.
formula <- paste(trial, "+ (time | subject)")
slopes <- suppressWarnings(lmer(
  as.formula(formula), sets$btheb, REML = FALSE, start = best_theta(as.formula(formula), sets$btheb, FALSE)$theta,
  control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 1e-4, rhoend = 1e-10), calc.derivs = FALSE)))
limits <- suppressWarnings(suppressMessages(confint(profile(slopes, signames = FALSE))))
print(limits)
profiles <- list(data = "btheb", formula = formula, parameters = I(rownames(limits)),
                 lower = unname(limits[, 1]), upper = unname(limits[, 2]))
versions <- lapply(setNames(nm = c("lme4", "lmerTest", "pbkrtest", "clubSandwich")), function(p) as.character(packageVersion(p)))
write_json(list(versions = c(list(R = as.character(getRversion())), versions), models = results, profile = profiles),
           file.path(here, "public.json"), digits = 12, auto_unbox = TRUE, pretty = TRUE, na = "null", null = "null")
