//! Instructions that stand for several.
