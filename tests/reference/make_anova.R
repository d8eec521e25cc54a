# Joint tests of every term by lmerTest (type III, Satterthwaite) on small public and synthetic data: anova.json.
#
#   Rscript tests/reference/make_anova.R
#
# Needs R with lme4, lmerTest and jsonlite. Categories are centred by the test itself: treatment coding, R's default.

suppressPackageStartupMessages({
  library(lmerTest)
  library(jsonlite)
})

here <- normalizePath(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))
models <- list(
  list(data = "machines", formula = "score ~ machine + (1 | worker)"),
  list(data = "oats", formula = "yield ~ nitro * Variety + (1 | Block/Variety)"),
  list(data = "orthodont", formula = "distance ~ age * sex + (1 | subject)"),
  list(data = "sleepstudy", formula = "Reaction ~ Days + (Days | Subject)"),
  list(data = "arms", formula = "y ~ x * arm + sex * arm + (1 | group)")
)
out <- lapply(models, function(m) {
  d <- read.csv(file.path(here, "small", paste0(m$data, ".csv")), stringsAsFactors = TRUE)
  for (g in intersect(c("worker", "subject", "Subject", "Block"), names(d))) d[[g]] <- factor(d[[g]])
  fit <- lmer(as.formula(m$formula), d, control = lmerControl(optCtrl = list(xtol_abs = 1e-10, ftol_abs = 1e-12)))
  a <- anova(fit)
  list(data = m$data, formula = m$formula, term = rownames(a), F = a[["F value"]], df_num = a[["NumDF"]],
       df_den = a[["DenDF"]], p = a[["Pr(>F)"]])
})
writeLines(toJSON(list(versions = list(R = as.character(getRversion()), lmerTest = as.character(packageVersion("lmerTest")),
                                       lme4 = as.character(packageVersion("lme4"))), models = out),
                  digits = NA, auto_unbox = TRUE, pretty = TRUE), file.path(here, "anova.json"))
