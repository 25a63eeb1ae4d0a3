use super::*;

const HEADER: Header = Header {
    type_id: 3,
    length: 0,
};

fn mark(heap: &mut Heap, object: *mut Header) {
    let place = heap.find(object as u64).expect("the object is alive");
    assert_eq!(heap.object(place), object);
    heap.mark(place);
}

#[test]
fn cells_are_whole_multiples_of_the_alignment_and_in_order() {
    assert!(CELLS.iter().all(|cell| cell.is_multiple_of(16)));
    assert!(CELLS.is_sorted());
    assert!(CELLS.iter().all(|&cell| cell <= BLOCK / 2));
}

#[test]
fn every_address_inside_leads_to_the_object() {
    let mut heap = Heap::new(1 << 22);
    for bytes in [8, 16, 17, 100, 5000, 10_912, 32_768, 32_769, 200_000] {
        let object = heap.allocate(HEADER, bytes).expect("there is room");
        assert!((object as usize).is_multiple_of(16));
        let place = heap.find(object as u64).expect("it was allocated");
        for inside in [0, bytes / 2, bytes - 1] {
            assert_eq!(heap.find(object as u64 + inside), Some(place));
        }
        assert_eq!(heap.object(place), object);
    }
    assert_eq!(heap.find(0), None);
    assert_eq!(heap.find(u64::MAX), None);
    assert_eq!(heap.find(heap.base as u64 - 1), None);
}

#[test]
fn what_is_marked_stays_and_the_rest_is_reused() {
    let mut heap = Heap::new(1 << 22);
    for bytes in [24u64, 70_000] {
        let objects: Vec<_> = (0..10)
            .map(|_| heap.allocate(HEADER, bytes).expect("there is room"))
            .collect();
        let before = heap.live_bytes();
        for &object in objects.iter().step_by(2) {
            mark(&mut heap, object);
        }
        heap.sweep(true);
        assert_eq!(heap.live_bytes(), before / 2);
        for (index, &object) in objects.iter().enumerate() {
            let alive = index % 2 == 0;
            assert_eq!(heap.find(object as u64).is_some(), alive);
            // SAFETY: the memory stays mapped.
            let type_id = unsafe { (*object).type_id };
            assert_eq!(type_id == HEADER.type_id, alive);
        }
        let again = heap.allocate(HEADER, bytes).expect("there is room");
        assert!(objects.contains(&again));
        // SAFETY: allocated just now, with more than 16 bytes.
        assert_eq!(
            unsafe { again.cast::<u64>().add(1).read() },
            0,
            "poison is wiped off"
        );
        heap.sweep(false);
        assert_eq!(heap.live_bytes(), 0);
    }
}

#[test]
fn the_limit_holds_for_small_and_large_and_freed_blocks_serve_both() {
    let mut heap = Heap::new(4 * BLOCK as u64);
    let fill = |heap: &mut Heap, bytes| {
        let mut count = 0;
        while heap.allocate(HEADER, bytes).is_some() {
            count += 1;
        }
        heap.sweep(false);
        count
    };
    assert_eq!(fill(&mut heap, 16), 4 * BLOCK / 16);
    assert_eq!(fill(&mut heap, 2 * BLOCK as u64), 2);
    assert_eq!(fill(&mut heap, 1024), 4 * BLOCK / 1024);
    assert!(heap.allocate(HEADER, 5 * BLOCK as u64).is_none());
    assert!(heap.allocate(HEADER, u64::MAX).is_none());
}

#[test]
fn exceptions_are_counted() {
    let mut heap = Heap::new(1 << 20);
    let header = Header {
        type_id: object::EXCEPTION,
        length: 0,
    };
    let kept = heap.allocate(header, 16).expect("there is room");
    heap.allocate(header, 16).expect("there is room");
    assert_eq!(heap.live_exceptions(), 2);
    mark(&mut heap, kept);
    heap.sweep(false);
    assert_eq!(heap.live_exceptions(), 1);
}
