# Least squares with CR2 errors in clubSandwich, on the rows of small/moderated.csv (make_johnson_neyman.R writes them).
# Writes tests/reference/clustered_slope.json. Run: Rscript tests/reference/make_clustered_slope.R
suppressMessages({library(clubSandwich); library(jsonlite)})
d <- read.csv("tests/reference/small/moderated.csv")
few <- d[!(d$g %in% c(1, 2) & seq_len(nrow(d)) %% 3 > 0), ]
of <- function(fit, g) { r <- coef_test(fit, vcov = "CR2", cluster = g); list(beta = r$beta, se = r$SE, df = r$df_Satt) }
out <- list(balanced = of(lm(y ~ x * m, d), d$g), unbalanced = of(lm(y ~ x + m, few), few$g),
            clubSandwich = as.character(packageVersion("clubSandwich")))
writeLines(toJSON(out, digits = 14, auto_unbox = TRUE, pretty = TRUE), "tests/reference/clustered_slope.json")
