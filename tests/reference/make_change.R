# Reliable change computed anew in R, by the formulas of the papers, on two public data sets.
# Data: claus_2020, jacobson_1989, hechler_2014 of the R package clinicalsignificance (GPL >= 3), read from beside the
# checkout and not committed. Run: Rscript tests/reference/make_change.R
suppressMessages({library(lme4); library(jsonlite)})
folder <- "../shared/data"
wide <- function(d, id, time, score, first, last) {
  a <- d[d[[time]] == first, c(id, score)]; b <- d[d[[time]] == last, c(id, score)]
  w <- merge(a, b, by = id); names(w) <- c("id", "pre", "post"); w[complete.cases(w), ]
}
indices <- function(w, r, r_post) {
  M <- mean(w$pre); S <- sd(w$pre); M2 <- mean(w$post); S2 <- sd(w$post); k <- cor(w$pre, w$post)
  sem <- S * sqrt(1 - r); pred <- r * w$pre + (1 - r) * M
  vd <- S^2 + S2^2 - 2 * S * S2 * k
  rdd <- (S^2 * (1 - sem^2 / S^2) + S2^2 * (1 - sem^2 / S2^2) - 2 * S * S2 * k) / vd
  list(JT = (w$post - w$pre) / (sem * sqrt(2)), GLN = (w$post - pred) / (S * sqrt(1 - r^2)),
       HLL = ((w$post - M2) - r * (w$pre - M)) / (S * sqrt(1 - r^2)), EN = (w$post - pred) / sem,
       NK = (w$post - pred) / sqrt(r^2 * S^2 * (1 - r) + S^2 * (1 - r_post)),
       HA = ((w$post - w$pre) * rdd + (M2 - M) * (1 - rdd)) / (sqrt(rdd) * sem * sqrt(2)))
}
summary_of <- function(w, r, r_post) {
  z <- indices(w, r, r_post)
  c(list(n = nrow(w), mean = mean(w$pre), sd = sd(w$pre), mean_post = mean(w$post), sd_post = sd(w$post)),
    list(rci = lapply(z, function(v) list(sum = sum(v), squares = sum(v^2), first = v[1:3]))))
}
claus <- read.csv(file.path(folder, "claus_2020.csv"))
jac <- read.csv(file.path(folder, "jacobson_1989.csv"))
hech <- read.csv(file.path(folder, "hechler_2014.csv"))
model <- lmer(hamd ~ time + (time | id), claus[ave(!is.na(claus$hamd), claus$id, FUN = sum) >= 3, ])
slopes <- as.data.frame(ranef(model, condVar = TRUE)); slopes <- slopes[slopes$term == "time", ]
out <- list(
  claus_hamd = summary_of(wide(claus, "id", "time", "hamd", 1, 4), .80, .5),
  jacobson_gds = summary_of(wide(jac, "subject", "time", "gds", "pre", "post"), .85, .75),
  jacobson_das = summary_of(wide(jac, "subject", "time", "das", "pre", "post"), .88, .80),
  hechler = summary_of(wide(hech, "patient", "measurement", "disability", 1, 2), .86, .80),
  claus_hlm = list(average = fixef(model)[["time"]], id = as.integer(as.character(slopes$grp)), rci = slopes$condval / slopes$condsd),
  r = R.version.string, lme4 = as.character(packageVersion("lme4")))
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = TRUE), "tests/reference/change.json")
