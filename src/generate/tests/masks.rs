//! Features: what a mask keeps out, and how often what it lets in is drawn.

use super::*;
use wasmparser::SubType;

#[test]
fn a_feature_mask_keeps_out_what_it_excludes() {
    let masks = [
        (
            Features {
                floats: false,
                ..Features::default()
            },
            features() - WasmFeatures::FLOATS,
        ),
        (
            Features {
                tail_calls: false,
                ..Features::default()
            },
            features() - WasmFeatures::TAIL_CALL,
        ),
        (
            Features {
                subtyping: false,
                ..Features::default()
            },
            features(),
        ),
        (
            Features {
                gc: false,
                ..Features::default()
            },
            // Stack switching needs its types of functions.
            features(),
        ),
        (
            Features {
                continuations_in_objects: false,
                ..Features::default()
            },
            features(),
        ),
        (
            Features {
                simd: false,
                ..Features::default()
            },
            features() - WasmFeatures::SIMD - WasmFeatures::RELAXED_SIMD,
        ),
        (
            Features {
                relaxed_simd: false,
                ..Features::default()
            },
            features() - WasmFeatures::RELAXED_SIMD,
        ),
        (
            Features {
                wide_arithmetic: false,
                ..Features::default()
            },
            features() - WasmFeatures::WIDE_ARITHMETIC,
        ),
        (
            Features {
                multi_memory: false,
                ..Features::default()
            },
            features() - WasmFeatures::MULTI_MEMORY - WasmFeatures::MEMORY64,
        ),
        (
            Features {
                memory64: false,
                ..Features::default()
            },
            features() - WasmFeatures::MEMORY64,
        ),
    ];
    for (mask, allowed) in masks {
        for seed in 0..200 {
            let module = generate(
                seed,
                &Config {
                    features: mask,
                    ..Config::default()
                },
            );
            assert_valid(&module.wasm, allowed, &format!("{mask:?}, seed {seed}"));
            assert!(
                mask.subtyping || !declares(&module.wasm, |ty| !ty.is_final),
                "seed {seed}"
            );
            let object = |ty: &SubType| {
                let inner = &ty.composite_type.inner;
                !matches!(
                    inner,
                    CompositeInnerType::Func(_) | CompositeInnerType::Cont(_)
                )
            };
            assert!(mask.gc || !declares(&module.wasm, object), "seed {seed}");
            let kept = mask.continuations_in_objects;
            assert!(kept || !scenario::keeps_any(&module.plan), "seed {seed}");
        }
    }
}

fn declares(wasm: &[u8], fits: impl Fn(&SubType) -> bool) -> bool {
    Parser::new(0)
        .parse_all(wasm)
        .any(|payload| match payload.unwrap() {
            Payload::TypeSection(section) => section
                .into_iter()
                .any(|group| group.unwrap().types().any(&fits)),
            _ => false,
        })
}

#[test]
fn every_feature_is_drawn_in_a_part_of_the_modules() {
    let mut drawn = [0; 5];
    for (_, module) in modules(500) {
        let features = module.plan.features;
        let these = [
            features.simd,
            features.relaxed_simd,
            features.wide_arithmetic,
            features.multi_memory,
            features.memory64,
        ];
        for (count, there) in drawn.iter_mut().zip(these) {
            *count += usize::from(there);
        }
        assert!(features.simd || !features.relaxed_simd);
        assert!(features.multi_memory || !features.memory64);
    }
    assert!(
        drawn.iter().all(|count| (25..250).contains(count)),
        "{drawn:?}"
    );
}

#[test]
fn without_late_switch_types_the_families_are_one_group() {
    let features = Features {
        late_switch_types: false,
        ..Features::ALL
    };
    for seed in 0..50 {
        let config = Config {
            features,
            ..Config::default()
        };
        let (mut plan, _) = draw::plan(&mut Unstructured::new(&entropy(seed)), &config);
        // Mutants have lost it.
        plan.features.subtyping = false;
        plan.fix_up();
        assert!(plan.types.grouped, "seed {seed}");
    }
}

#[test]
fn without_relaxed_choices_other_relaxed_instructions_stay() {
    let features = Features {
        relaxed_choices: false,
        ..Features::ALL
    };
    let (mut others, mut dots) = (0, 0);
    for seed in 0..150 {
        let scope = Scope {
            features,
            generators: Generators::default(),
        };
        let wasm = case(seed, scope).wasm;
        let text = wasmprinter::print_bytes(&wasm).unwrap();
        assert!(!text.contains("relaxed_madd"), "seed {seed}");
        assert!(!text.contains("relaxed_nmadd"), "seed {seed}");
        // The second operand of each has seven bits a lane.
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            if line.contains("relaxed_dot") {
                assert!(lines[at - 2..at].contains(&"v128.and"), "seed {seed}");
                dots += 1;
            }
        }
        others += usize::from(text.contains("relaxed"));
    }
    assert!(others > 5 && dots > 0, "{others} {dots}");
}
