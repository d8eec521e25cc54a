# Small-sample figures of pbkrtest (Kenward-Roger) and clubSandwich (CR0, CR2) on synthetic data: kr_cr2.json.
#
#   Rscript tests/reference/make_kr_cr2.R
#
# Needs R with lme4, pbkrtest, clubSandwich and jsonlite. The rows are made here and written to small/*.csv.

suppressPackageStartupMessages({
  library(lme4)
  library(pbkrtest)
  library(clubSandwich)
  library(jsonlite)
})

here <- normalizePath(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))
source(file.path(here, "optimum.R"))

# ---------------------------------------------------------------- data

# Growth of units inside outer groups inside regions, unbalanced; `top` scales the outer groups' effects.
growth <- function(seed, outer, top) {
  set.seed(seed)
  rows <- list()
  for (o in seq_len(outer)) {
    b <- rnorm(2) * top
    for (i in seq_len(sample(2:5, 1))) {
      u <- rnorm(2) * c(2, 0.5)
      rating <- rnorm(1)
      weeks <- seq_len(sample(2:6, 1)) - 1
      y <- 15 + b[1] + u[1] + (-0.8 + 0.2 * rating + b[2] + u[2]) * weeks + 1.5 * rnorm(length(weeks))
      rows[[length(rows) + 1]] <- data.frame(
        region = paste0("r", (o + 1) %/% 2), outer = paste0("o", o), unit = paste0("o", o, "u", i),
        week = weeks, rating = round(rating, 3), arm = as.integer(i %% 2 == 0), y = round(y, 3))
    }
  }
  do.call(rbind, rows)
}

# Persons by items with holes.
crossed <- function(seed) {
  set.seed(seed)
  d <- expand.grid(person = paste0("p", 1:14), item = paste0("i", 1:7), stringsAsFactors = FALSE)
  d <- d[sort(sample(nrow(d), 70)), ]
  person <- setNames(rnorm(14) * 1.2, paste0("p", 1:14))
  item <- setNames(rnorm(7) * 0.8, paste0("i", 1:7))
  d$x <- round(rnorm(nrow(d)), 3)
  d$group <- as.integer(substr(d$person, 2, 3)) %% 2
  d$y <- round(3 + 0.5 * d$x + person[d$person] + item[d$item] + rnorm(nrow(d)), 3)
  d
}

# Each of six workers on each of three machines, three times: the structure of the Machines data, made anew.
machines <- function(seed) {
  set.seed(seed)
  d <- expand.grid(replicate = 1:3, machine = c("A", "B", "C"), worker = paste0("w", 1:6), stringsAsFactors = FALSE)
  effect <- matrix(rnorm(18), 6) %*% chol(matrix(c(16, 18, 12, 18, 74, 30, 12, 30, 19), 3))
  dimnames(effect) <- list(paste0("w", 1:6), c("A", "B", "C"))
  mean <- c(A = 52, B = 60, C = 66)
  d$score <- round(mean[d$machine] + effect[cbind(d$worker, d$machine)] + rnorm(54), 1)
  d$b <- as.integer(d$machine == "B")
  d$c <- as.integer(d$machine == "C")
  d
}

# Residual variance 1 / w. pbkrtest ignores prior weights, so R fits the rows multiplied by sqrt(w).
weighted <- function(seed) {
  d <- growth(seed, 9, c(1.5, 0.4))
  d$w <- round(runif(nrow(d), 0.3, 3), 2)
  d
}
by_root_weight <- function(d) {
  r <- sqrt(d$w)
  transform(d, one = r, ys = y * r, weeks = week * r, arms = arm * r)
}

sets <- list(three_level = growth(3, 9, c(2, 0.4)), boundary = growth(17, 10, c(0, 0)), crossed = crossed(5),
             machines = machines(2), weighted = weighted(8))
dir.create(file.path(here, "small"), showWarnings = FALSE)
for (name in names(sets)) {
  write.csv(sets[[name]], file.path(here, "small", paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
}

# ------------------------- models: data, formula, terms of the joint test, columns of clusters, formula for R

models <- list(
  list("three_level", "y ~ week * rating + arm + (week | outer) + (week | unit)", c("week", "week:rating"),
       c("outer", "region")),
  list("boundary", "y ~ week * rating + arm + (1 | outer) + (week | unit)", c("rating", "arm", "week:rating"), "outer"),
  list("boundary", "y ~ week + arm + (week | outer) + (1 | unit)", c("week", "arm"), "outer"),
  list("crossed", "y ~ x + group + (1 | person) + (1 | item)", c("x", "group"), c()),
  list("machines", "score ~ b + c + (b + c | worker)", c("b", "c"), "worker"),
  list("weighted", "y ~ week + arm + (week | unit)", c("week", "arm"), c(),
       "ys ~ 0 + one + weeks + arms + (0 + one + weeks | unit)")
)

# ---------------------------------------------------------------- figures

robust <- function(fit, clusters, type, joint) {
  v <- vcovCR(fit, cluster = clusters, type = type)
  test <- coef_test(fit, vcov = v, test = "Satterthwaite")
  htz <- Wald_test(fit, constraints = joint, vcov = v, test = "HTZ")
  list(se = unname(test$SE), df = unname(test$df_Satt),
       joint = list(f = htz$Fstat, df_num = htz$df_num, df_den = htz$df_denom, p = htz$p_val))
}

figures <- function(model) {
  data <- sets[[model[[1]]]]
  in_r <- if (length(model) > 4) model[[5]] else model[[2]]
  if (length(model) > 4) data <- by_root_weight(data)
  formula <- as.formula(in_r)
  theta <- best_theta(formula, data, TRUE)$theta
  control <- lmerControl(optimizer = "stay", calc.derivs = FALSE)
  fit <- suppressMessages(eval(bquote(
    lmer(.(formula), data = .(data), REML = TRUE, start = .(theta), control = .(control))
  )))
  names <- names(fixef(fit))
  original <- c(one = "(Intercept)", weeks = "week", arms = "arm")
  named <- ifelse(names %in% names(original), original[names], names)
  joint <- diag(length(names))[match(model[[3]], named), , drop = FALSE]
  kr <- KRmodcomp(fit, joint)$stats
  each <- vapply(seq_along(names), function(i) KRmodcomp(fit, diag(length(names))[i, , drop = FALSE])$stats$ddf, 0)
  cat(sprintf("%-12s %-70s %.6f %s\n", model[[1]], in_r, REMLcrit(fit), if (isSingular(fit)) "boundary" else ""))
  list(
    data = model[[1]], formula = model[[2]], weights = if (length(model) > 4) "w" else NULL, joint = I(model[[3]]),
    singular = isSingular(fit), criterion = REMLcrit(fit), terms = I(unname(named)), params = unname(fixef(fit)),
    kenward_roger = list(
      se = unname(sqrt(diag(as.matrix(vcovAdj(fit))))), df = each,
      joint = list(f = kr$Fstat, df_num = kr$ndf, df_den = kr$ddf, p = kr$p.value, scale = kr$F.scaling)),
    robust = lapply(setNames(nm = model[[4]]), function(column) lapply(
      c(CR0 = "CR0", CR2 = "CR2"), function(type) robust(fit, data[[column]], type, joint)))
  )
}

results <- lapply(models, figures)
versions <- lapply(setNames(nm = c("lme4", "pbkrtest", "clubSandwich")), function(p) as.character(packageVersion(p)))
write_json(list(versions = c(list(R = as.character(getRversion())), versions), models = results),
           file.path(here, "kr_cr2.json"), digits = 12, auto_unbox = TRUE, pretty = TRUE, null = "null")
