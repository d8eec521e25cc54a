# Figures of what is asked of a fit once it is there: after.json.
#
#   Rscript tests/reference/make_after.R
#
# Influence by refits of lme4 without each group, marginal means of emmeans with lmerTest and pbkrtest, pooling of mice
# and mitml. Needs R with lme4, lmerTest, pbkrtest, emmeans, mice, mitml, nlme and jsonlite.
# Rows: small/three_level.csv and small/machines.csv (made by make_kr_cr2.R); small/arms.csv and small/imputed.csv (made
# here); small/orthodont.csv (Potthoff and Roy 1964, Biometrika 51:313-326, table 1, as in nlme, GPL >= 2).

suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(pbkrtest)
  library(emmeans)
  library(mice)
  library(mitml)
  library(jsonlite)
})

here <- normalizePath(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1])))
source(file.path(here, "optimum.R"))
read <- function(name) read.csv(file.path(here, "small", paste0(name, ".csv")), stringsAsFactors = FALSE)
write <- function(data, name) {
  write.csv(data, file.path(here, "small", paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
}

polished <- function(formula, data, reml = TRUE) {
  theta <- best_theta(formula, data, reml, use = "bobyqa", jitters = c(0, 0, 0.05))$theta
  control <- lmerControl(optimizer = "stay", calc.derivs = FALSE)
  suppressMessages(eval(bquote(
    lmerTest::lmer(.(formula), data = .(data), REML = .(reml), start = .(theta), control = .(control))
  )))
}

# ---------------------------------------------------------------- influence

left_out <- function(formula, data, group) {
  all <- polished(formula, data)
  b <- fixef(all)
  lapply(setNames(nm = sort(unique(data[[group]]))), function(level) {
    fit <- polished(formula, data[data[[group]] != level, ])
    v <- as.matrix(vcov(fit))
    change <- b - fixef(fit)
    list(params = unname(fixef(fit)), cook = drop(change %*% solve(as.matrix(vcov(all))) %*% change) / length(b),
         dfbetas = unname(change / sqrt(diag(v))), covratio = det(v) / det(as.matrix(vcov(all))),
         vcov = as.data.frame(VarCorr(fit))$vcov)
  })
}
three <- read("three_level")
formula <- y ~ week + arm + (1 + week | outer) + (1 | unit)
influence <- list(
  formula = "y ~ week + arm + (1 + week | outer) + (1 | unit)",
  outer = left_out(formula, three, "outer"),
  unit = left_out(formula, three[three$outer %in% c("o1", "o2", "o3", "o4", "o5"), ], "unit")
)

# ---------------------------------------------------------------- marginal means

set.seed(7)
arms <- do.call(rbind, lapply(1:14, function(g) {
  n <- sample(3:8, 1)
  b <- rnorm(2) * c(1.5, 0.3)
  x <- round(runif(n, 0, 6), 2)
  arm <- sample(c("control", "long", "short"), n, TRUE, c(0.5, 0.2, 0.3))
  sex <- sample(c("f", "m"), n, TRUE, c(0.7, 0.3))
  effect <- c(control = 0, long = 1.5, short = 0.7)[arm]
  y <- 12 + effect + (-0.5 - 0.2 * effect + b[2]) * x + (sex == "m") + b[1] + rnorm(n)
  data.frame(group = paste0("g", g), arm = arm, sex = sex, x = x, y = round(y, 3))
}))
write(arms, "arms")
orthodont <- as.data.frame(nlme::Orthodont)
orthodont <- data.frame(subject = as.character(orthodont$Subject), sex = as.character(orthodont$Sex),
                        age = orthodont$age, distance = orthodont$distance)
write(orthodont, "orthodont")

table_of <- function(grid, infer = TRUE) {
  s <- as.data.frame(summary(grid, infer = c(infer, TRUE)))
  keep <- intersect(c("emmean", "x.trend", "age.trend", "estimate", "SE", "df", "lower.CL", "upper.CL", "p.value"), names(s))
  out <- s[keep]
  names(out)[1] <- "estimate"
  out$label <- apply(s[setdiff(names(s), c(keep, "t.ratio"))], 1, function(r) paste(trimws(r), collapse = ", "))
  out
}
means <- function(data, formula, asked) {
  d <- read(data)
  fit <- polished(as.formula(formula), d)
  lapply(c(kr = "kenward-roger", satterthwaite = "satterthwaite"), function(df) {
    one <- function(a) {
      options <- list(fit, specs = as.formula(a$specs), lmer.df = df)
      grid <- if (is.null(a$var)) do.call(emmeans, c(options, a$options)) else
        do.call(emtrends, c(options, list(var = a$var), a$options))
      adjusted <- lapply(c(none = "none", holm = "holm", tukey = "tukey"), function(adjust)
        as.data.frame(summary(pairs(grid, adjust = adjust)))$p.value)
      list(means = table_of(grid), pairs = table_of(pairs(grid, adjust = "none")), p = adjusted)
    }
    lapply(asked, one)
  })
}
marginal <- list(
  list(data = "machines", formula = "score ~ machine + (1 | worker) + (1 | worker:machine)", asked = list(
    machine = list(specs = "~ machine"))),
  list(data = "orthodont", formula = "distance ~ age * sex + (1 + age | subject)", asked = list(
    sex = list(specs = "~ sex"), at = list(specs = "~ sex | age", options = list(at = list(age = c(8, 14)))),
    slopes = list(specs = "~ sex", var = "age"))),
  list(data = "arms", formula = "y ~ arm * x + sex + (1 | group)", asked = list(
    arm = list(specs = "~ arm"), proportional = list(specs = "~ arm", options = list(weights = "proportional")),
    slopes = list(specs = "~ arm", var = "x"))),
  list(data = "arms", formula = "y ~ arm * sex + poly(x, 2) + (1 | group)", asked = list(
    by = list(specs = "~ arm | sex"), sex = list(specs = "~ sex"),
    weighted = list(specs = "~ arm", options = list(weights = "proportional"))))
)
marginal <- lapply(marginal, function(m) list(data = m$data, formula = m$formula, figures = means(m$data, m$formula, m$asked)))

# ---------------------------------------------------------------- pooling

holes <- three
set.seed(3)
holes$y[sample(nrow(holes), 20)] <- NA
holes$rating[sample(nrow(holes), 15)] <- NA
imputed <- mice(holes[c("week", "rating", "arm", "y")], m = 6, maxit = 5, printFlag = FALSE, seed = 5)
sets <- lapply(1:6, function(i) cbind(imputation = i, holes[c("outer", "unit")], complete(imputed, i)))
for (i in 1:6) sets[[i]]$rating <- round(sets[[i]]$rating, 3)
write(do.call(rbind, sets), "imputed")
pooling <- function(formula, joint) {
  fits <- lapply(sets, function(d) polished(as.formula(formula), d))
  kr <- lapply(fits, function(f) as.matrix(vcovAdj(f)))
  p <- length(fixef(fits[[1]]))
  q <- sapply(fits, fixef)
  df <- sapply(fits, function(f) sapply(1:p, function(j) KRmodcomp(f, diag(p)[j, , drop = FALSE])$stats$ddf))
  each <- lapply(1:p, function(j) {
    u <- sapply(kr, function(v) v[j, j])
    s <- pool.scalar(q[j, ], u, n = mean(df[j, ]) + 1, k = 1)
    list(estimate = s$qbar, se = sqrt(s$t), df = s$df, riv = s$r, fmi = s$fmi, lambda = s$r / (1 + s$r))
  })
  l <- diag(p)[joint, , drop = FALSE]
  complete <- mean(sapply(fits, function(f) KRmodcomp(f, l)$stats$ddf))
  u <- array(unlist(lapply(kr, function(v) v[joint, joint])), c(length(joint), length(joint), 6))
  d1 <- mitml:::.D1(q[joint, ], u, complete)
  list(formula = formula, terms = names(fixef(fits[[1]])), each = each, joint = names(fixef(fits[[1]]))[joint],
       d1 = list(f = drop(d1$F), df_num = d1$k, df_den = drop(d1$v), r = d1$r),
       d1_large = drop(mitml:::.D1(q[joint, ], u, NULL)$v),
       complete = complete, vcov = rowMeans(sapply(fits, function(f) as.data.frame(VarCorr(f))$vcov)))
}
pool_figures <- pooling("y ~ week + rating + arm + (1 | outer) + (1 | unit)", 2:4)

versions <- lapply(setNames(nm = c("lme4", "lmerTest", "pbkrtest", "emmeans", "mice", "mitml")),
                   function(p) as.character(packageVersion(p)))
write_json(list(versions = c(list(R = as.character(getRversion())), versions), influence = influence,
                marginal = marginal, pooling = pool_figures),
           file.path(here, "after.json"), digits = 12, auto_unbox = TRUE, pretty = TRUE, null = "null", dataframe = "columns")
