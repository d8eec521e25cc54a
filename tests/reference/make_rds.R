# Writes small/labelled.rds: a data frame as R itself writes it, for the writer of .rds files (base R only).
d <- data.frame(
  client = c("007", "NA", NA, "\u00e4"),
  session = c(0, 1, NA, 3),
  date = as.Date(c("2024-02-29", NA, "1969-12-31", "2030-01-01")),
  stringsAsFactors = FALSE
)
d$arm <- factor(c("CBT", NA, "Therapie\u00fcbersicht", "CBT"), levels = c("Therapie\u00fcbersicht", "CBT"))
d$education <- factor(c("low", "high", NA, "high"), levels = c("low", "middle", "high"), ordered = TRUE)
labels <- c(client = "Client", session = "Session number", date = "Date", arm = "Treatment arm", education = "Schooling")
for (name in names(d)) attr(d[[name]], "label") <- labels[[name]]
attr(d, "row.names") <- c(NA_integer_, -4L)
attr(d, "label") <- "A study"
saveRDS(d, file.path("tests", "reference", "small", "labelled.rds"), version = 2)
