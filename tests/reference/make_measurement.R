# Reliability and factor models by psych and lavaan, for tests/analyses/test_measurement*.py.
# Debian: r-cran-lavaan r-cran-psych r-cran-lme4 r-cran-jsonlite. Run: Rscript tests/reference/make_measurement.R
# Data: HolzingerSwineford1939 of lavaan (GPL >= 2; 301 pupils, Holzinger & Swineford 1939), written to small/; the example
# of Shrout & Lane 2012 and bfi of psych (GPL >= 2; of bfi only moments are kept); implement_gad_sessions.csv beside the
# checkout (MIT), which is not committed.
suppressMessages({library(lavaan); library(psych); library(lme4); library(jsonlite)})
here <- "tests/reference"
hs <- HolzingerSwineford1939[, paste0("x", 1:9)]
write.csv(hs, file.path(here, "small", "holzinger.csv"), row.names = FALSE)
hs <- read.csv(file.path(here, "small", "holzinger.csv"))
holes <- hs
for (i in seq_len(nrow(hs))) for (j in 1:9) if ((7 * i + 3 * j) %% 11 == 0 || (i %% 5 == 0 && j > 6)) holes[i, j] <- NA

fitted_model <- function(model, data, ...) {
  message(substr(gsub("\n", "; ", model), 1, 60))
  try_with <- function(tol) suppressWarnings(cfa(model, data, meanstructure = TRUE, em.h1.iter.max = 5000,
    em.h1.tol = 1e-8, control = list(rel.tol = tol, iter.max = 3000, eval.max = 6000), ...))
  f <- try_with(1e-13)
  if (!lavInspect(f, "converged")) f <- try_with(1e-10)
  if (!lavInspect(f, "converged")) return(list(converged = FALSE))
  m <- fitMeasures(f)
  e <- parameterEstimates(f, standardized = FALSE)
  e <- e[!is.na(e$z) | e$se > 0, ]
  list(converged = lavInspect(f, "converged"), npar = unname(m["npar"]),
       fit = as.list(m[c("chisq", "df", "pvalue", "cfi", "tli", "rmsea", "rmsea.ci.lower", "rmsea.ci.upper", "srmr", "logl",
                         "unrestricted.logl", "aic", "bic")]),
       loadings = e[e$op == "=~", c("lhs", "rhs", "est", "se")], variances = e[e$op == "~~", c("lhs", "rhs", "est", "se")],
       intercepts = e[e$op == "~1", c("lhs", "est", "se")])
}
one <- paste("g =~", paste0("x", 1:9, collapse = " + "))
three <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
bif <- paste0("g =~ NA*x1 + ", paste0("x", 2:9, collapse = " + "),
  "\nvisual =~ NA*x1 + x2 + x3\ntextual =~ NA*x4 + x5 + x6\nspeed =~ NA*x7 + x8 + x9\n",
  "g ~~ 1*g\nvisual ~~ 1*visual\ntextual ~~ 1*textual\nspeed ~~ 1*speed\n",
  "g ~~ 0*visual + 0*textual + 0*speed\nvisual ~~ 0*textual + 0*speed\ntextual ~~ 0*speed")
out <- list(holzinger = list(
  three = fitted_model(three, hs), one = fitted_model(one, hs), bifactor = fitted_model(bif, hs),
  three_missing = fitted_model(three, holes, missing = "ml"), one_missing = fitted_model(one, holes, missing = "ml"),
  srmr_without_means = unname(fitMeasures(cfa(three, hs), "srmr"))))

# The alliance items of sessions 1, 3 and 15, wide.
gad <- read.csv("../shared/data/implement_gad_sessions.csv")
items <- c("wai_task1","wai_task2","wai_task3","wai_goal1","wai_goal2","wai_goal3","wai_bond1","wai_bond2","wai_bond3")
w <- reshape(gad[gad$session %in% c(1, 3, 15), c("client", "session", items)], idvar = "client", timevar = "session", direction = "wide")
names(w) <- gsub(".", "_s", names(w), fixed = TRUE)
S <- c(1, 3, 15)
groups <- list(task = items[1:3], goal = items[4:6], bond = items[7:9])
single <- function(s) paste(sapply(names(groups), function(g) paste(g, "=~", paste0(groups[[g]], "_s", s, collapse = " + "))), collapse = "\n")
single_one <- function(s) paste("g =~", paste0(items, "_s", s, collapse = " + "))
long <- function(level, gs) {
  items <- unlist(gs)
  lines <- c()
  for (s in S) for (g in names(gs)) {
    its <- gs[[g]]
    terms <- paste0(ifelse(seq_along(its) == 1, "1*", if (level == "configural") "" else paste0("l_", its, "*")), its, "_s", s)
    lines <- c(lines, paste0(g, s, " =~ ", paste(terms, collapse = " + ")))
  }
  for (i in items) { v <- paste0(i, "_s", S)
    lines <- c(lines, paste(v[1], "~~", v[2]), paste(v[1], "~~", v[3]), paste(v[2], "~~", v[3]))
    for (x in v) lines <- c(lines, paste0(x, " ~ ", if (level == "scalar") paste0("i_", i, "*") else "", "1")) }
  if (level == "scalar") for (s in S[-1]) for (g in names(gs)) lines <- c(lines, paste0(g, s, " ~ NA*1"))
  paste(lines, collapse = "\n")
}
keep <- rowSums(!is.na(w[, -1])) > 0
out$gad <- list(n = sum(keep))
for (s in S) { d <- w[rowSums(!is.na(w[, paste0(items, "_s", s)])) > 0, ]
  out$gad[[paste0("three_s", s)]] <- fitted_model(single(s), d, missing = "ml")
  out$gad[[paste0("one_s", s)]] <- fitted_model(single_one(s), d, missing = "ml") }
for (l in c("configural", "metric", "scalar")) # subscale by subscale: 57 clients do not carry 27 items at once
  for (g in names(groups)) out$gad[[paste0(g, "_", l)]] <- fitted_model(long(l, groups[g]), w[keep, ], missing = "ml")

# Reliability.
a <- na.omit(transform(bfi[, 1:5], A1 = 7 - A1)); f1 <- cfa("f =~ A1 + A2 + A3 + A4 + A5", a, std.lv = TRUE)
al <- psych::alpha(a, warnings = FALSE)
out$bfi <- list(n = nrow(a), mean = unname(colMeans(a)), cov = unname(cov(a) * (nrow(a) - 1) / nrow(a)), alpha = al$total$raw_alpha,
  feldt = unlist(al$feldt[1:3]), loadings = parameterEstimates(f1)[1:5, "est"], theta = parameterEstimates(f1)[6:10, "est"])
shrout <- data.frame(client = rep(1:5, 4), time = rep(1:4, each = 5),
  i1 = c(2,3,6,3,7,3,5,6,3,8,4,4,7,5,6,1,5,8,8,6), i2 = c(3,4,6,4,8,3,7,7,5,8,2,6,8,6,7,3,9,9,7,8),
  i3 = c(6,4,5,3,7,4,7,8,9,9,5,7,9,7,8,4,7,9,9,6))
g <- mlr(shrout, grp = "client", Time = "time", items = 3:5, aov = TRUE, lmer = FALSE, plot = FALSE)
out$shrout_lane <- c(list(data = shrout), g[c("RkF", "R1R", "RkR", "Rc", "RkRn", "Rcn")], list(components = g$components$variance[1:7]))
sf <- matrix(c(9,2,5,8, 6,1,3,2, 8,4,6,8, 7,1,2,6, 10,5,6,9, 6,2,4,7), ncol = 4, byrow = TRUE)
icc <- ICC(sf, lmer = FALSE)$results
out$shrout_fleiss <- list(data = sf, type = icc$type, icc = icc$ICC, low = icc[["lower bound"]], high = icc[["upper bound"]])
# Change reliability of the clinic's alliance items, unbalanced: variance components by lme4.
long_items <- reshape(gad[, c("client", "session", items)], varying = items, v.names = "value", timevar = "item", times = items,
                      idvar = c("client", "session"), direction = "long")
m <- lmer(value ~ 1 + (1 | client) + (1 | client:session), long_items, REML = TRUE,
          control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9)))
v <- as.data.frame(VarCorr(m)); out$gad_nested <- setNames(as.list(v$vcov), v$grp)
m <- lmer(value ~ 1 + (1 | client) + (1 | session) + (1 | item) + (1 | client:session) + (1 | client:item) + (1 | session:item),
          long_items, REML = TRUE, control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5)))
v <- as.data.frame(VarCorr(m)); out$gad_crossed <- c(setNames(as.list(v$vcov), v$grp), list(criterion = REMLcrit(m)))
out$versions <- list(r = R.version.string, lavaan = as.character(packageVersion("lavaan")), psych = as.character(packageVersion("psych")),
                     lme4 = as.character(packageVersion("lme4")))
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = FALSE, dataframe = "columns", na = "null"), file.path(here, "measurement.json"))
