# early_alliance by arm, where one arm has no therapists: partial_early.json, by lme4, lmerTest and clubSandwich.
# small/partial_early.csv is simulated here: arm A has 8 therapists, arm B none. Early is sessions 1 to 3; time is in weeks since session 3.
# Run: Rscript tests/reference/make_partial_early.R
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(clubSandwich); library(jsonlite)})
set.seed(47)
therapist <- rep(seq_len(8), times = rep(c(6, 9), 4)); nested <- length(therapist); alone <- 45; n <- nested + alone
style <- rnorm(8, 0, 2.5); level <- rnorm(8, 0, 1.5); rate <- rnorm(8, 0, .4)
of <- function(x) c(x[therapist], rep(0, alone))
usual <- 42 + of(style) + rnorm(n, 0, 6); p <- of(level) + rnorm(n, 0, 3); b <- -.5 + of(rate) - .03 * (usual - 42) + rnorm(n, 0, .3)
rows <- do.call(rbind, lapply(1:9, function(s) data.frame(
  client = paste0("C", seq_len(n)), therapist = c(paste0("T", therapist), rep(NA, alone)), arm = rep(c("A", "B"), c(nested, alone)),
  session = s, week = s, alliance = if (s <= 3) round(pmin(pmax(usual + rnorm(n, 0, 3), 12), 60), 1) else NA,
  symptoms = round(pmin(pmax(14 + p + b * s + rnorm(n, 0, 1.5), 0), 27), 1))))
rows$symptoms[rows$session %in% 4:8 & runif(nrow(rows)) < .15] <- NA
write.csv(rows[order(rows$client, rows$session), ], "tests/reference/small/partial_early.csv", row.names = FALSE, na = "", quote = FALSE)

rows <- read.csv("tests/reference/small/partial_early.csv", na.strings = "")
first <- function(x) x[1]; last <- function(x) x[length(x)]
by <- split(rows, rows$client)
clients <- do.call(rbind, lapply(by, function(d) {
  d <- d[order(d$session), ]; before <- d$symptoms[d$session <= 3]; after <- d$symptoms[d$session > 3 & !is.na(d$symptoms)]
  data.frame(client = d$client[1], therapist = d$therapist[1], arm = d$arm[1], early = mean(d$alliance, na.rm = TRUE),
             intake = before[1], change = before[3] - before[1], end_change = last(after) - before[1])
}))
design <- function(arm) {
  own <- clients[clients$arm == arm, ]
  group <- if (arm == "A") own$therapist else rep("all", nrow(own))
  for (v in c("early", "intake", "change")) {
    own[[paste0(v, "_client")]] <- own[[v]] - ave(own[[v]], group)
    own[[paste0(v, "_therapist")]] <- ave(own[[v]], group) - mean(own[[v]])
  }
  after <- rows[rows$session > 3 & !is.na(rows$symptoms) & rows$arm == arm, c("client", "week", "symptoms")]
  after <- merge(after, own, by = "client")
  list(clients = own, rows = transform(after, weeks = week - 3, y = symptoms))
}
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(maxfun = 1e5, rhoend = 1e-10))
interval <- function(e, se, df) list(estimate = e, se = se, df = df, low = e - qt(.975, df) * se, high = e + qt(.975, df) * se)
robust <- function(m, term, cluster) {
  row <- coef_test(m, vcov = vcovCR(m, cluster = cluster, type = "CR2"), test = "Satterthwaite")
  row <- row[which(names(fixef(m)) == term), ]
  interval(row$beta, row$SE, row$df_Satt)
}
a <- design("A"); b <- design("B")
x_a <- "(early_client + early_therapist + intake_client + intake_therapist + change_client + change_therapist)"
x_b <- "(early_client + intake_client + change_client)"
# With lme4's own class, which clubSandwich knows: the errors are theirs.
slope_a <- lme4::lmer(as.formula(paste("y ~ weeks *", x_a, "+ (1 + weeks | therapist) + (1 + weeks | therapist:client)")), a$rows, control = control)
end_a <- lme4::lmer(as.formula(paste("end_change ~", x_a, "+ (1 | therapist)")), a$clients, control = control)
slope_b <- lmer(as.formula(paste("y ~ weeks *", x_b, "+ (1 + weeks | client)")), b$rows, control = control)
end_b <- lm(as.formula(paste("end_change ~", x_b)), b$clients)
plain <- coef(summary(slope_b))["weeks:early_client", ]
least <- coef(summary(end_b))["early_client", ]
found <- list(
  slope_within_A = robust(slope_a, "weeks:early_client", a$rows$therapist),
  slope_within_B = interval(plain[["Estimate"]], plain[["Std. Error"]], plain[["df"]]),
  end_within_A = robust(end_a, "early_client", a$clients$therapist),
  end_within_B = interval(least[["Estimate"]], least[["Std. Error"]], end_b$df.residual))
# B less A with the limits of Zou & Donner (2008).
for (kind in c("slope", "end")) {
  one <- found[[paste0(kind, "_within_B")]]; other <- found[[paste0(kind, "_within_A")]]; d <- one$estimate - other$estimate
  found[[paste0(kind, "_within_B_difference")]] <- list(estimate = d,
    low = d - sqrt((one$estimate - one$low)^2 + (other$high - other$estimate)^2),
    high = d + sqrt((one$high - one$estimate)^2 + (other$estimate - other$low)^2))
}
# The least-squares analysis of the multiverse in arm B: the change to the last score, in SDs of intake per SD of early alliance.
found$multiverse_B <- list(estimate = -least[["Estimate"]] * sd(b$clients$early) / sd(b$clients$intake))
print(VarCorr(slope_a)); print(VarCorr(slope_b)); print(VarCorr(end_a))
write_json(found, "tests/reference/partial_early.json", digits = 12, auto_unbox = TRUE, pretty = TRUE)
