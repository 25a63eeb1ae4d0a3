use super::*;

fn memory(minimum: u64, maximum: Option<u64>) -> Box<MemoryInner> {
    MemoryInner::new(
        MemoryType::new(minimum, maximum),
        &Limits {
            memory_pages: 5,
            ..Limits::default()
        },
    )
    .unwrap()
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
    let mut memory = memory(1, Some(3));
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

#[test]
fn the_configured_limit_binds_as_well() {
    let mut unlimited = memory(0, None);
    assert_eq!(unlimited.grow(6), None);
    assert_eq!(unlimited.grow(5), Some(0));
    assert_eq!(unlimited.bytes().len(), 5 * 65_536);
    assert!(
        MemoryInner::new(
            MemoryType::new(2, None),
            &Limits {
                memory_pages: 1,
                ..Limits::default()
            }
        )
        .is_none()
    );
    let mut table = table(&[1]);
    assert_eq!(table.grow(8, 0), None);
    assert_eq!(table.grow(7, 9), Some(1));
    assert_eq!(table.words(), [1, 9, 9, 9, 9, 9, 9, 9]);
}

#[test]
fn bulk_memory_operations_check_bounds_before_they_write() {
    let mut memory = memory(1, None);
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
    let this = &raw mut *memory;
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
    drop(memory(0, Some(0)));
    let mut table = table(&[]);
    assert_eq!(table.fill(0, 1, 0), Ok(()));
    assert_eq!(table.fill(0, 1, 1), Err(TrapKind::TableOutOfBounds));
}
