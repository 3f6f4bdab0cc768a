use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::time::sleep;

use super::Patient;

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(test);
}

#[test]
fn a_reader_that_has_stopped_ends_the_write() {
    run(async {
        let (_reader, stream) = duplex(1000);
        let mut stream = Patient::new(stream, Duration::from_millis(50));
        // What there is room for needs no patience, however late it comes.
        stream.write_all(&[1; 600]).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        stream.write_all(&[1; 400]).await.unwrap();
        assert!(!stream.has_run_out());
        let error = stream.write_all(&[1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(stream.has_run_out());
    });
}

#[test]
fn a_reader_that_is_slow_is_waited_for() {
    run(async {
        let (mut reader, stream) = duplex(1000);
        let mut stream = Patient::new(stream, Duration::from_millis(500));
        let writer = tokio::spawn(async move { stream.write_all(&[1; 12_000]).await });
        // Longer in total than the patience, never for so long at once.
        let mut taken = 0;
        while taken < 12_000 {
            sleep(Duration::from_millis(60)).await;
            taken += reader.read(&mut [0; 1000]).await.unwrap();
        }
        writer.await.unwrap().unwrap();
    });
}

#[test]
fn reading_is_not_limited() {
    run(async {
        let (mut writer, stream) = duplex(1000);
        let mut stream = Patient::new(stream, Duration::from_millis(20));
        let reader = tokio::spawn(async move { stream.read_u8().await });
        sleep(Duration::from_millis(100)).await;
        writer.write_u8(7).await.unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), 7);
    });
}
