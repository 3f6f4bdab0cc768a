use super::super::testing::*;
use super::*;

#[test]
fn few_pieces_are_not_copied() {
    let memory = Memory::new();
    let pieces: Vec<Span> = (0..16).map(|n| memory.span(&[n; 100])).collect();
    let span = join(&memory.pool, &pieces).unwrap();
    drop(pieces);
    assert_eq!(span.len(), 1600);
    assert_eq!(memory.ledger.live_nodes(), 17);
    assert_eq!(memory.pool.in_use(), 0);
    drop(span);
    assert_eq!(memory.ledger.live_nodes(), 0);
}

#[test]
fn many_pieces_are_copied_together() {
    let memory = Memory::new();
    let bytes = pattern(65_535);
    for size in [7, 100, 1480, 4095] {
        let pieces: Vec<Span> = bytes.chunks(size).map(|chunk| memory.span(chunk)).collect();
        let span = join(&memory.pool, &pieces).unwrap();
        drop(pieces);
        assert_eq!(span.to_vec().unwrap(), bytes);
        assert!(memory.ledger.live_nodes() <= 17);
    }
    assert_eq!(memory.ledger.live_nodes(), 0);
}

#[test]
fn limits() {
    let memory = Memory::limited(8192);
    let pieces: Vec<Span> = (0..17).map(|_| memory.span(&[0; 1000])).collect();
    assert_eq!(join(&memory.pool, &pieces).err(), Some(NoMemory));
    let memory = Memory::new();
    let pieces: Vec<Span> = (0..17).map(|_| memory.span(&[0; 4096])).collect();
    assert_eq!(join(&memory.pool, &pieces).err(), Some(NoMemory));
    assert_eq!(join(&memory.pool, &[]).unwrap().len(), 0);
}
