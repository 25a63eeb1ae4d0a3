use super::*;
use crate::module::parse::parse;

fn section(text: &str) -> Arc<TypeSection> {
    let bytes = wat::parse_str(text).expect("the text parses");
    let parsed = parse(&bytes).expect("the module is valid");
    parsed.info.types
}

fn defined(section: &Arc<TypeSection>, index: u32) -> HeapType {
    HeapType::Concrete(DefinedType::new(section, index))
}

/// Interns two modules in one store and says which types of the second are types of the first.
fn ids(first: &str, second: &str) -> (Arc<[u32]>, Arc<[u32]>) {
    let mut registry = TypeRegistry::default();
    (
        registry.intern(&section(first)),
        registry.intern(&section(second)),
    )
}

#[test]
fn equal_declarations_are_one_type() {
    let (a, b) = ids(
        "(module (type (func (param i32))) (type (func)) (type (func (param i32))))",
        "(module (type (func)) (type (func (param i32) (result i32))) (type (func (param i32))))",
    );
    assert_eq!(a[0], a[2]);
    assert_eq!(a[1], b[0]);
    assert_eq!(a[0], b[2]);
    assert!(!a.contains(&b[1]));
}

#[test]
fn parameters_and_results_are_told_apart() {
    let (a, b) = ids(
        "(module (type (func (param i32 i32))) (type (func (param i32) (result i32))))",
        "(module (type (func (result i32 i32))) (type (func (param i32 i32))))",
    );
    assert_ne!(a[0], a[1]);
    assert!(!a.contains(&b[0]));
    assert_eq!(a[0], b[1]);
}

#[test]
fn finality_and_supertypes_belong_to_a_type() {
    let (a, b) = ids(
        "(module (type $a (sub (func))) (type (func)) (type (sub $a (func))) (type (sub final $a (func))))",
        "(module (type (sub (func))) (type (sub final (func))))",
    );
    assert_eq!(a[0], b[0]);
    assert_eq!(a[1], b[1]);
    assert_eq!(a.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
}

#[test]
fn a_groups_shape_is_part_of_its_types() {
    let (a, b) = ids(
        "(module (rec (type (func)) (type (func (param i32)))))",
        "(module (type (func)) (rec (type (func (param i32))) (type (func))) (rec (type (func)) (type (func (param i32)))))",
    );
    assert_eq!(a[..], b[3..]);
    assert!(!b[..3].contains(&a[0]) && !b[..3].contains(&a[1]));
}

#[test]
fn recursive_groups_are_equal_wherever_they_stand() {
    let recursive = "(rec (type $f (func (param (ref null $c)))) (type $c (cont $f)))";
    let (a, b) = ids(
        &format!("(module {recursive})"),
        &format!("(module (type (func (result i64))) (type (struct (field i8))) {recursive})"),
    );
    assert_eq!(a[..], b[2..]);
}

#[test]
fn types_refer_to_other_types_by_identity_not_by_index() {
    let (a, b) = ids(
        "(module (type $f (func)) (type $c (cont $f)) (type (func (param (ref $c)))) (type (func (param (ref null $c)))))",
        "(module (type $g (func (param i32))) (type $f (func)) (type (cont $g)) (type $c (cont $f)) (type (func (param (ref $c)))))",
    );
    assert_eq!(a[1], b[3]);
    assert_eq!(a[2], b[4]);
    assert_ne!(a[2], a[3]);
    assert_ne!(a[1], b[2]);
}

#[test]
fn structures_and_arrays_have_identity_too() {
    let (a, _) = ids(
        "(module (type (struct (field i8))) (type (struct (field i16))) (type (struct (field (mut i8)))) (type (array i8))
          (type (struct (field i8) (field i8))) (type (struct)))",
        "(module)",
    );
    assert_eq!(a[..], [0, 1, 2, 3, 4, 5]);
}

#[test]
fn interning_a_section_twice_gives_the_same_numbers() {
    let section = section("(module (type (func)) (type (func (param f64))))");
    let mut registry = TypeRegistry::default();
    let first = registry.intern(&section);
    assert_eq!(first, registry.intern(&section));
    assert_eq!(registry.canonical(&DefinedType::new(&section, 1)), first[1]);
}

#[test]
fn host_function_types_are_final_types_alone_in_their_group() {
    let section = section(
        "(module (type (func (param i64) (result f32))) (type (sub (func (param i64) (result f32))))
          (rec (type $r (func (param (ref null $r))))) (type $u (func (param (ref null $r)))))",
    );
    let mut registry = TypeRegistry::default();
    let host = FuncType::new([ValType::I64], [ValType::F32]);
    // The host's type may come first or last: the number is the same.
    let early = registry.canonical_func(&host);
    let ids = registry.intern(&section);
    assert_eq!(early, ids[0]);
    assert_ne!(early, ids[1]);
    assert_eq!(registry.func_type(early), &host);
    let to_recursive = FuncType::new([ValType::Ref(RefType::new(true, defined(&section, 2)))], []);
    let late = registry.canonical_func(&to_recursive);
    assert_eq!(late, ids[3]);
    assert_ne!(late, ids[2]);
    assert_eq!(
        registry.canonical_func(&FuncType::in_section(&section, 2)),
        ids[2]
    );
}

#[test]
fn subtyping_follows_declarations_only() {
    let (a, b) = {
        let text = "(module (type $a (sub (func (result anyref)))) (type $b (sub $a (func (result eqref))))
          (type $c (sub $b (func (result structref)))) (type $d (sub (func (result structref)))))";
        (section(text), section(text))
    };
    let mut registry = TypeRegistry::default();
    let (ids, other) = (registry.intern(&a), registry.intern(&b));
    assert_eq!(ids, other);
    assert!(registry.is_subtype(ids[2], ids[0]));
    assert!(registry.is_subtype(ids[2], ids[2]));
    assert!(!registry.is_subtype(ids[0], ids[2]));
    // Structurally it would do, but nothing is declared.
    assert!(!registry.is_subtype(ids[3], ids[0]));
    // The same through another module's section.
    assert!(registry.heap_matches(&defined(&b, 2), &defined(&a, 1)));
    assert!(registry.func_matches(&FuncType::in_section(&a, 1), &FuncType::in_section(&b, 0)));
    assert!(!registry.func_matches(&FuncType::in_section(&a, 0), &FuncType::in_section(&b, 1)));
}

#[test]
fn heap_types_match_within_their_hierarchy() {
    use HeapType::*;
    let section =
        section("(module (type $f (func)) (type $c (cont $f)) (type (struct)) (type (array i8)))");
    let [func, cont, structure, array] = [0, 1, 2, 3].map(|index| defined(&section, index));
    type Pairs<'a> = &'a [(usize, usize)];
    let hierarchies: [(&[HeapType], Pairs<'_>); 5] = [
        (&[NoFunc, func, Func], &[(0, 1), (1, 2), (0, 2)]),
        (&[NoCont, cont, Cont], &[(0, 1), (1, 2), (0, 2)]),
        (&[NoExtern, Extern], &[(0, 1)]),
        (&[NoExn, Exn], &[(0, 1)]),
        (
            &[None, I31, structure, array, Struct, Array, Eq, Any],
            &[
                (0, 1),
                (0, 2),
                (0, 3),
                (0, 4),
                (0, 5),
                (0, 6),
                (0, 7),
                (1, 6),
                (1, 7),
                (2, 4),
                (2, 6),
                (2, 7),
                (3, 5),
                (3, 6),
                (3, 7),
                (4, 6),
                (4, 7),
                (5, 6),
                (5, 7),
                (6, 7),
            ],
        ),
    ];
    let mut registry = TypeRegistry::default();
    for (this, (subs, pairs)) in hierarchies.iter().enumerate() {
        for (that, (sups, _)) in hierarchies.iter().enumerate() {
            for (i, sub) in subs.iter().enumerate() {
                for (j, sup) in sups.iter().enumerate() {
                    let expected = this == that && (i == j || pairs.contains(&(i, j)));
                    assert_eq!(registry.heap_matches(sub, sup), expected, "{sub} <: {sup}");
                }
            }
        }
    }
}

#[test]
fn null_fits_only_nullable_references() {
    let mut registry = TypeRegistry::default();
    let nonnull = RefType::new(false, HeapType::Func);
    assert!(registry.ref_matches(&nonnull, &RefType::FUNCREF));
    assert!(!registry.ref_matches(&RefType::FUNCREF, &nonnull));
    assert!(registry.val_matches(&ValType::I32, &ValType::I32));
    assert!(!registry.val_matches(&ValType::I32, &ValType::F32));
    assert!(!registry.val_matches(&ValType::I32, &ValType::FUNCREF));
}

#[test]
fn limits_match_when_they_are_within() {
    let registry = TypeRegistry::default();
    let matches = |sub: (u64, Option<u64>), sup: (u64, Option<u64>)| {
        registry.memory_matches(
            &MemoryType::new(sub.0, sub.1),
            &MemoryType::new(sup.0, sup.1),
        )
    };
    assert!(matches((2, Some(3)), (1, Some(3))));
    assert!(matches((2, Some(3)), (2, None)));
    assert!(matches((2, None), (2, None)));
    assert!(!matches((1, Some(3)), (2, Some(3))));
    assert!(!matches((2, Some(4)), (1, Some(3))));
    assert!(!matches((2, None), (1, Some(3))));
    let (narrow, wide) = (MemoryType::new(1, Some(2)), MemoryType::new64(1, Some(2)));
    let bytes = narrow.clone().with_page_size_log2(0);
    assert!(registry.memory_matches(&bytes, &bytes));
    assert!(!registry.memory_matches(&narrow, &bytes) && !registry.memory_matches(&bytes, &narrow));
    assert!(!registry.memory_matches(&narrow, &wide) && !registry.memory_matches(&wide, &narrow));
}

#[test]
fn mutable_globals_tables_and_tags_are_invariant() {
    let section = section("(module (type $f (func (param i32))) (type (sub (func))))");
    let mut registry = TypeRegistry::default();
    let concrete = RefType::new(true, defined(&section, 0));
    let global = |ty: &RefType, mutable| GlobalType::new(ValType::Ref(ty.clone()), mutable);
    assert!(registry.global_matches(&global(&concrete, false), &global(&RefType::FUNCREF, false)));
    assert!(!registry.global_matches(&global(&RefType::FUNCREF, false), &global(&concrete, false)));
    assert!(!registry.global_matches(&global(&concrete, true), &global(&RefType::FUNCREF, true)));
    assert!(registry.global_matches(&global(&concrete, true), &global(&concrete, true)));
    assert!(!registry.global_matches(&global(&concrete, true), &global(&concrete, false)));
    let table = |ty: &RefType| TableType::new(ty.clone(), 1, None);
    let wide = TableType::new64(RefType::FUNCREF, 1, None);
    assert!(registry.table_matches(&wide, &wide));
    assert!(!registry.table_matches(&wide, &table(&RefType::FUNCREF)));
    assert!(registry.table_matches(&table(&concrete), &table(&concrete)));
    assert!(!registry.table_matches(&table(&concrete), &table(&RefType::FUNCREF)));
    let tag = |ty: FuncType| TagType::new(ty);
    assert!(registry.tag_matches(
        &tag(FuncType::in_section(&section, 0)),
        &tag(FuncType::new([ValType::I32], []))
    ));
    assert!(!registry.tag_matches(
        &tag(FuncType::in_section(&section, 1)),
        &tag(FuncType::new([], []))
    ));
    assert!(!registry.extern_matches(
        &ExternType::Tag(tag(FuncType::new([], []))),
        &ExternType::Func(FuncType::new([], []))
    ));
}

#[test]
fn types_print_as_the_text_format_writes_them() {
    let section = section(
        "(module (type (func)) (type (func (param i32 (ref null 0)) (result v128 externref))))",
    );
    let func = FuncType::in_section(&section, 1);
    assert_eq!(
        func.to_string(),
        "(func (param i32 (ref null 0)) (result v128 (ref null extern)))"
    );
    assert_eq!(
        ExternType::Memory(MemoryType::new(1, Some(2))).to_string(),
        "(memory 1 2)"
    );
    assert_eq!(
        MemoryType::new64(1, None)
            .with_page_size_log2(0)
            .to_string(),
        "(memory i64 1 (pagesize 1))"
    );
    assert_eq!(
        TableType::new64(RefType::FUNCREF, 0, None).to_string(),
        "(table i64 0 (ref null func))"
    );
    assert_eq!(
        TableType::new(RefType::CONTREF, 0, None).to_string(),
        "(table 0 (ref null cont))"
    );
    assert_eq!(
        GlobalType::new(ValType::EXNREF, true).to_string(),
        "(global (mut (ref null exn)))"
    );
}
