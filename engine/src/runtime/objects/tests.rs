use super::*;
use crate::config::Config;

fn config(memory_pages: u64, guard: bool) -> Config {
    let mut config = Config::new();
    config.memory_guard(guard).limits(Limits {
        memory_pages,
        ..Limits::default()
    });
    config
}

/// One memory without a guard region and one with it.
fn memories(minimum: u64, maximum: Option<u64>) -> [Box<MemoryInner>; 2] {
    [false, true].map(|guard| {
        MemoryInner::new(MemoryType::new(minimum, maximum), &config(5, guard)).unwrap()
    })
}

fn table(words: &[u64]) -> Box<TableInner> {
    let ty = TableType::new(RefType::FUNCREF, words.len() as u64, None);
    let mut table = TableInner::new(
        ty,
        &Limits {
            table_elements: 8,
            ..Limits::default()
        },
    )
    .unwrap();
    table.words_mut().copy_from_slice(words);
    table
}

#[test]
fn visible_parts_come_first() {
    assert_eq!(std::mem::offset_of!(GlobalInner, vm), 0);
    assert_eq!(std::mem::offset_of!(MemoryInner, vm), 0);
    assert_eq!(std::mem::offset_of!(TableInner, vm), 0);
    assert_eq!(std::mem::offset_of!(TagInner, vm), 0);
}

#[test]
fn memories_grow_up_to_their_limits_and_keep_their_bytes() {
    for mut memory in memories(1, Some(3)) {
        memory.bytes_mut()[65_535] = 7;
        assert_eq!(memory.grow(0), Some(1));
        assert_eq!(memory.grow(2), Some(1));
        assert_eq!(
            (
                memory.bytes()[65_535],
                memory.bytes()[65_536],
                memory.pages()
            ),
            (7, 0, 3)
        );
        assert_eq!(memory.grow(1), None);
        assert_eq!(memory.grow(u64::MAX), None);
        assert_eq!(memory.ty(), MemoryType::new(3, Some(3)));
    }
}

#[test]
fn memories_with_guard_regions_never_move() {
    let [_, mut memory] = memories(0, None);
    let base = memory.vm.base;
    assert_eq!(memory.grow(5), Some(0));
    memory.bytes_mut().fill(1);
    assert_eq!(memory.vm.base, base);
}

#[test]
fn pages_may_be_bytes_and_addresses_64_bits() {
    let limits = config(1, true);
    let bytes = MemoryType::new(3, Some(u32::MAX.into())).with_page_size_log2(0);
    let mut memory = MemoryInner::new(bytes, &limits).unwrap();
    assert_eq!((memory.bytes().len(), memory.pages()), (3, 3));
    assert_eq!(memory.grow(65_533), Some(3));
    assert_eq!(memory.grow(1), None, "the limit is in pages of 64 KiB");
    let mut memory = MemoryInner::new(MemoryType::new64(0, Some(1 << 48)), &limits).unwrap();
    assert_eq!(memory.grow(1 << 47), None);
    assert_eq!(memory.grow(1), Some(0));
    assert_eq!(memory.ty(), MemoryType::new64(1, Some(1 << 48)));
}

#[test]
fn the_configured_limit_binds_as_well() {
    for mut unlimited in memories(0, None) {
        assert_eq!(unlimited.grow(6), None);
        assert_eq!(unlimited.grow(5), Some(0));
        assert_eq!(unlimited.bytes().len(), 5 * 65_536);
    }
    for guard in [false, true] {
        assert!(MemoryInner::new(MemoryType::new(2, None), &config(1, guard)).is_none());
    }
    let mut table = table(&[1]);
    assert_eq!(table.grow(8, 0), None);
    assert_eq!(table.grow(7, 9), Some(1));
    assert_eq!(table.words(), [1, 9, 9, 9, 9, 9, 9, 9]);
}

#[test]
fn bulk_memory_operations_check_bounds_before_they_write() {
    for mut memory in memories(1, None) {
        check_bulk_operations(&mut memory);
    }
}

fn check_bulk_operations(memory: &mut MemoryInner) {
    assert_eq!(memory.fill(65_534, 1, 3), Err(TrapKind::MemoryOutOfBounds));
    assert_eq!(
        memory.fill(u64::MAX, 1, 2),
        Err(TrapKind::MemoryOutOfBounds)
    );
    assert!(memory.bytes().iter().all(|&byte| byte == 0));
    assert_eq!(memory.fill(65_536, 1, 0), Ok(()));
    assert_eq!(memory.fill(65_534, 1, 2), Ok(()));
    assert_eq!(
        memory.init(b"abc", 0, 1, 3),
        Err(TrapKind::MemoryOutOfBounds)
    );
    assert_eq!(memory.init(b"abc", 0, 3, 0), Ok(()));
    assert_eq!(memory.init(b"abc", 4, 1, 2), Ok(()));
    assert_eq!(memory.bytes()[3..7], *b"\0bc\0");
    let this = std::ptr::from_mut(memory);
    // SAFETY: a live memory, and no reference to it.
    unsafe {
        assert_eq!(MemoryInner::copy(this, this, 5, 4, 2), Ok(()));
        assert_eq!(
            MemoryInner::copy(this, this, 65_535, 0, 2),
            Err(TrapKind::MemoryOutOfBounds)
        );
        assert_eq!(
            MemoryInner::copy(this, this, 0, 65_535, 2),
            Err(TrapKind::MemoryOutOfBounds)
        );
    }
    assert_eq!(memory.bytes()[3..8], *b"\0bbc\0");
    assert_eq!(memory.bytes()[65_533..], [0, 1, 1]);
}

#[test]
fn bulk_table_operations_check_bounds_before_they_write() {
    let mut table = table(&[1, 2, 3, 4]);
    assert_eq!(table.fill(3, 9, 2), Err(TrapKind::TableOutOfBounds));
    assert_eq!(table.init(&[5], 4, 0, 1), Err(TrapKind::TableOutOfBounds));
    assert_eq!(table.init(&[5], 0, 0, 2), Err(TrapKind::TableOutOfBounds));
    assert_eq!(table.init(&[], 4, 0, 0), Ok(()));
    assert_eq!(table.words(), [1, 2, 3, 4]);
    let this = &raw mut *table;
    // SAFETY: a live table, and no reference to it.
    unsafe {
        assert_eq!(TableInner::copy(this, this, 0, 1, 3), Ok(()));
        assert_eq!(
            TableInner::copy(this, this, 2, 0, 3),
            Err(TrapKind::TableOutOfBounds)
        );
    }
    assert_eq!(table.words(), [2, 3, 4, 4]);
    assert_eq!(table.fill(1, 9, 2), Ok(()));
    assert_eq!(table.init(&[5, 6], 3, 1, 1), Ok(()));
    assert_eq!(table.words(), [2, 9, 9, 6]);
}

#[test]
fn empty_objects_own_nothing() {
    drop(memories(0, Some(0)));
    let mut table = table(&[]);
    assert_eq!(table.fill(0, 1, 0), Ok(()));
    assert_eq!(table.fill(0, 1, 1), Err(TrapKind::TableOutOfBounds));
}
