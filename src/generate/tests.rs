//! Tests of the generator that execute nothing: validity, determinism, sizes, and that the plan space holds what it should.

use super::*;
use wasmparser::{Validator, WasmFeatures};

fn validate(wasm: &[u8]) -> Result<(), wasmparser::Error> {
    let features = WasmFeatures::default() | WasmFeatures::STACK_SWITCHING;
    Validator::new_with_features(features)
        .validate_all(wasm)
        .map(|_| ())
}

#[test]
fn every_module_is_valid() {
    for seed in 0..1000 {
        let module = generate(seed, &Config::default());
        if let Err(error) = validate(&module.wasm) {
            let text = wasmprinter::print_bytes(&module.wasm).unwrap_or_default();
            panic!("seed {seed}: {error}\n{text}");
        }
    }
}
