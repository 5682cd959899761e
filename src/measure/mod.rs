//! Histograms, interval logs, statistics and validity. Pure: no clock, no tokio.
