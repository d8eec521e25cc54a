# One fit of lavaan for the bench; prints JSON. Rscript benchmarks/lavaan.R TASK FOLDER
suppressMessages(library(lavaan))
arguments <- commandArgs(trailingOnly = TRUE); task <- arguments[1]; folder <- arguments[2]
read <- function(name) read.csv(file.path(folder, paste0(name, ".csv")))
x <- paste0("x", 1:9)
three <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
wide <- function(d) reshape(d, idvar = "id", timevar = "t", v.names = c("x", "y"), direction = "wide", sep = "")
riclpm <- function(T) {
  s <- 1:T; one <- function(v, lab) paste0(lab, " =~ ", paste0("1*", v, s, collapse = " + ")); out <- c(one("x", "RX"), one("y", "RY"), "RX ~~ RY")
  for (t in s) out <- c(out, paste0("wx", t, " =~ 1*x", t), paste0("wy", t, " =~ 1*y", t), paste0("x", t, " ~~ 0*x", t), paste0("y", t, " ~~ 0*y", t),
    paste0("x", t, " ~ 1"), paste0("y", t, " ~ 1"), paste0("wx", t, " ~~ wy", t))
  for (t in 2:T) out <- c(out, paste0("wx", t, " ~ a*wx", t - 1, " + b*wy", t - 1), paste0("wy", t, " ~ c*wy", t - 1, " + d*wx", t - 1))
  for (a in c("RX", "RY")) for (b in c("wx1", "wy1")) out <- c(out, paste0(a, " ~~ 0*", b))
  paste(out, collapse = "\n")
}
dpm <- function(T) {
  eq <- 2:T; out <- c()
  for (t in eq) { out <- c(out, paste0("y", t, " ~ r*y", t - 1, " + b*x", t - 1), paste0("y", t, " ~~ v*y", t), paste0("y", t, " ~ 1"))
    if (t + 1 <= T - 1) out <- c(out, paste0("y", t, " ~~ ", paste0("x", (t + 1):(T - 1), collapse = " + "))) }
  all <- c("y1", paste0("x", 1:(T - 1)))
  out <- c(out, paste0("alpha =~ ", paste0("1*y", eq, collapse = " + ")), "alpha ~~ alpha", paste0("alpha ~~ ", paste(all, collapse = " + ")))
  for (i in seq_along(all)) out <- c(out, paste0(all[i], " ~~ ", all[i:length(all)]), paste0(all[i], " ~ 1"))
  paste(out, collapse = "\n")
}
fit <- switch(task,
  factor_one = { d <- read("pupils"); function() cfa(paste("g =~", paste(x, collapse = " + ")), d, missing = "ml") },
  factor_three = { d <- read("pupils"); function() cfa(three, d, missing = "ml") },
  factor_bifactor = { d <- read("pupils_complete"); function() cfa(paste(three, "\ng =~", paste(x, collapse = " + ")), d, std.lv = TRUE, orthogonal = TRUE, meanstructure = TRUE, information = "observed") },
  riclpm = { d <- wide(read("riclpm")); m <- riclpm(6); function() sem(m, d, missing = "ml", auto.cov.lv.x = FALSE, auto.cov.y = FALSE) },
  dynamic = { d <- wide(read("dynamic")); m <- dpm(5); function() sem(m, d, missing = "ml", fixed.x = FALSE) },
  latent = { d <- read("latent"); function() sem("level: 1\n y ~ x\n level: 2\n y ~ x", d, cluster = "g", fixed.x = FALSE) })
t <- system.time(f <- suppressWarnings(fit()))
cat(sprintf("{\"seconds\": %.12g, \"cpu\": %.12g, \"deviance\": %.12g}\n", t[[3]], t[[1]] + t[[2]], -2 * as.numeric(logLik(f))))
