//! Tells the crate whether it is built with AddressSanitizer, which has to be told of every switch of stacks.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(switchback_asan)");
    println!("cargo::rerun-if-changed=build.rs");
    let sanitizers = std::env::var("CARGO_CFG_SANITIZE").unwrap_or_default();
    if sanitizers
        .split(',')
        .any(|sanitizer| sanitizer == "address")
    {
        println!("cargo::rustc-cfg=switchback_asan");
    }
}
