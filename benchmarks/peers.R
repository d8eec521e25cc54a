# One measurement of R's packages; prints JSON. Rscript benchmarks/peers.R TASK FOLDER [FILE]
suppressMessages({library(lme4)})
arguments <- commandArgs(trailingOnly = TRUE)
task <- arguments[1]; folder <- arguments[2]
json <- function(...) {
  x <- list(...)
  show <- function(v) if (length(v) > 1) paste0("[", paste(sprintf("%.12g", v), collapse = ", "), "]") else sprintf("%.12g", v)
  cat("{", paste(sprintf("\"%s\": %s", names(x), vapply(x, show, "")), collapse = ", "), "}\n", sep = "")
}
seconds <- function(work) unname(system.time(work)[3])
path <- function(name) file.path(folder, name)

if (task == "versions") {
  for (p in c("lme4", "pbkrtest", "mlmRev", "HSAUR3"))
    cat(p, if (requireNamespace(p, quietly = TRUE)) as.character(packageVersion(p)) else "missing", "\n")
  cat("R", paste(R.version$major, R.version$minor, sep = "."), "\n")
}
if (task == "data") {
  write.csv(sleepstudy, path("sleepstudy.csv"), row.names = FALSE)
  data("InstEval", package = "lme4")
  write.csv(InstEval, path("insteval.csv"), row.names = FALSE)
  if (requireNamespace("mlmRev", quietly = TRUE)) {
    data("egsingle", package = "mlmRev")
    write.csv(egsingle, path("egsingle.csv"), row.names = FALSE)
  }
  if (requireNamespace("HSAUR3", quietly = TRUE)) {
    data("BtheB", package = "HSAUR3")
    wide <- BtheB
    wide$subject <- seq_len(nrow(wide))
    long <- reshape(wide, direction = "long", idvar = "subject", varying = c("bdi.2m", "bdi.3m", "bdi.5m", "bdi.8m"),
                    v.names = "bdi", timevar = "time", times = c(2, 3, 5, 8))
    names(long)[names(long) == "bdi.pre"] <- "bdi_pre"
    write.csv(long[!is.na(long$bdi), ], path("btheb.csv"), row.names = FALSE)
  }
}
if (task == "fit") {
  d <- read.csv(path(arguments[3]))
  t <- seconds(m <- suppressWarnings(suppressMessages(lmer(y ~ week * a + (1 + week | outer/inner), d))))
  json(seconds = t, deviance = REMLcrit(m))
}
if (task == "bootstrap") {
  d <- read.csv(path("egsingle.csv"))
  m <- suppressWarnings(lmer(math ~ year + (year | schoolid) + (year | childid), d))
  n <- 8
  t <- seconds(suppressWarnings(suppressMessages(bootMer(m, function(x) c(fixef(x), sigma(x)), nsim = n, seed = 1))))
  json(seconds = t, replicates = n)
}
if (task == "planning") { # written by `ours.py planning`, which runs first
  suppressMessages(library(lmerTest))
  d <- read.csv(path("planning.csv"))
  m <- suppressWarnings(suppressMessages(lme4::lmer(y ~ weeks * (within + between) + (1 + weeks | therapist/client), d)))
  root <- function(a, b) c(sqrt(a / 5), 0, sqrt(b / 5))
  pars <- list(beta = rep(0, 6), theta = c(root(13, 0.04), root(1.3, 0.012)), sigma = sqrt(5))
  names(pars$theta) <- names(getME(m, "theta")); names(pars$beta) <- names(fixef(m))
  n <- 10
  terms <- c("weeks:within", "weeks:between")
  se <- matrix(0, n, 2)
  t <- seconds(for (i in seq_len(n)) {
    y <- simulate(m, nsim = 1, seed = i, newparams = pars)[[1]]
    again <- suppressWarnings(suppressMessages(refit(m, y)))
    table <- coef(summary(as_lmerModLmerTest(again)))
    se[i, ] <- table[terms, "Std. Error"]
  })
  json(seconds = t, replicates = n, se = colMeans(se))
}
if (task == "kr") {
  suppressMessages(library(pbkrtest))
  d <- read.csv(path("egsingle.csv"))
  tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5))
  m <- suppressWarnings(lmer(math ~ year + (year | schoolid) + (year | childid), d, control = tight))
  t <- seconds({v <- vcovAdj(m); df <- c(Lb_ddf(c(1, 0), vcov(m), v), Lb_ddf(c(0, 1), vcov(m), v))})
  json(seconds = t, se = sqrt(diag(as.matrix(v))), df = df)
}
if (task == "profile") {
  d <- read.csv(path("btheb.csv"))
  m <- suppressWarnings(lmer(bdi ~ bdi_pre + time + treatment + drug + length + (time | subject), d, REML = FALSE))
  t <- seconds(suppressWarnings(suppressMessages(try(confint(profile(m)), silent = TRUE))))
  json(seconds = t, deviance = deviance(m))
}
if (task == "crossed") {
  d <- read.csv(path("insteval.csv"))
  t <- seconds(m <- suppressWarnings(lmer(y ~ 1 + (1 | s) + (1 | d) + (1 | dept:service), d, REML = FALSE)))
  json(seconds = t, deviance = deviance(m))
}
if (task == "two_crossed") {
  d <- read.csv(path(arguments[3]), stringsAsFactors = TRUE)
  f <- function() lmer(y ~ x + (1 | a) + (1 | b), d)
  f()
  t <- lapply(1:5, function(i) system.time(f()))
  json(seconds = min(sapply(t, function(v) v[3])), cpu = mean(sapply(t, function(v) v[1] + v[2])), deviance = REMLcrit(f()))
}
if (task == "small") {
  f <- function() lmer(Reaction ~ Days + (Days | Subject), sleepstudy)
  f()
  json(seconds = min(vapply(1:4, function(i) seconds(for (j in 1:15) f()) / 15, 0)), deviance = REMLcrit(f()))
}
if (task == "first") json(deviance = REMLcrit(lmer(Reaction ~ Days + (Days | Subject), sleepstudy)))
