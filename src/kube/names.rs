//! Names, suffixes and UIDs as functions of (seed, index).
