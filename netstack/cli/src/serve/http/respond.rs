//! From a request to its response.

use std::io;
use std::path::Path;
use std::sync::Arc;

use hyper::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST, HeaderName,
    HeaderValue, LOCATION, RANGE,
};
use hyper::{Method, Request, Response, StatusCode, Version};
use tokio::io::{AsyncSeekExt as _, SeekFrom};

use super::body::Body;
use super::files::{Files, Found};
use super::path;
use super::range::{self, Range};

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// Answers one request.
pub(crate) async fn respond<B>(request: &Request<B>, files: Arc<Files>) -> Response<Body> {
    if !names_its_host(request) {
        return error(StatusCode::BAD_REQUEST);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let response = error(StatusCode::METHOD_NOT_ALLOWED);
        return with_header(response, ALLOW, "GET, HEAD");
    }
    // A range is defined for GET alone (RFC 9110 section 14.2).
    let range = request
        .headers()
        .get(RANGE)
        .filter(|_| request.method() == Method::GET)
        .and_then(|value| value.to_str().ok());
    let url_path = request.uri().path().to_owned();
    let Some(relative) = path::relative(&url_path) else {
        return error(StatusCode::NOT_FOUND);
    };
    // Opening may wait for a disk, which the runtime's only thread must not.
    let looked_up =
        tokio::task::spawn_blocking(move || look_up(&files, &relative, &url_path)).await;
    match looked_up {
        Ok(Ok(Answer::File { file, length, mime })) => give_file(file, length, mime, range).await,
        Ok(Ok(Answer::Page(page))) => response(StatusCode::OK, HTML, Body::text(page)),
        Ok(Ok(Answer::Redirect(to))) => {
            with_header(error(StatusCode::MOVED_PERMANENTLY), LOCATION, &to)
        }
        Ok(Err(cause)) => error(status_of(&cause)),
        Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// One `Host` is needed since HTTP/1.1, and several are an error (RFC 9112 section 3.2).
fn names_its_host<B>(request: &Request<B>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        0 => request.version() < Version::HTTP_11,
        count => count == 1,
    }
}

enum Answer {
    File {
        file: std::fs::File,
        length: u64,
        mime: &'static str,
    },
    Page(String),
    Redirect(String),
}

fn look_up(files: &Files, relative: &Path, url_path: &str) -> io::Result<Answer> {
    let has_slash = url_path.ends_with('/');
    let directory = match files.find(relative)? {
        Found::File { .. } if has_slash => return Err(io::ErrorKind::NotADirectory.into()),
        Found::File { file, length } => {
            return Ok(Answer::File {
                file,
                length,
                mime: mime(relative),
            });
        }
        Found::Directory(_) if !has_slash => {
            return Ok(Answer::Redirect(redirect_target(url_path)));
        }
        Found::Directory(directory) => directory,
    };
    match files.find(&relative.join("index.html")) {
        Ok(Found::File { file, length }) => Ok(Answer::File {
            file,
            length,
            mime: HTML,
        }),
        _ => Ok(Answer::Page(directory.listing(url_path)?)),
    }
}

/// A path that begins with two slashes would be another host's.
fn redirect_target(url_path: &str) -> String {
    format!("/{}/", url_path.trim_start_matches('/'))
}

async fn give_file(
    file: std::fs::File,
    length: u64,
    mime: &'static str,
    range: Option<&str>,
) -> Response<Body> {
    let mut file = tokio::fs::File::from_std(file);
    match range.map_or(Range::Whole, |range| range::parse(range, length)) {
        Range::Whole => {
            let response = response(StatusCode::OK, mime, Body::file(file, length));
            with_header(response, ACCEPT_RANGES, "bytes")
        }
        Range::Outside => {
            let response = error(StatusCode::RANGE_NOT_SATISFIABLE);
            with_header(response, CONTENT_RANGE, &format!("bytes */{length}"))
        }
        Range::Part { first, last } => {
            if file.seek(SeekFrom::Start(first)).await.is_err() {
                return error(StatusCode::INTERNAL_SERVER_ERROR);
            }
            let body = Body::file(file, last - first + 1);
            let response = response(StatusCode::PARTIAL_CONTENT, mime, body);
            with_header(
                response,
                CONTENT_RANGE,
                &format!("bytes {first}-{last}/{length}"),
            )
        }
    }
}

fn response(status: StatusCode, mime: &'static str, body: Body) -> Response<Body> {
    let length = body.len();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(mime));
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

fn error(status: StatusCode) -> Response<Body> {
    response(status, TEXT, Body::text(format!("{status}\n")))
}

fn with_header(mut response: Response<Body>, name: HeaderName, value: &str) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

fn status_of(error: &io::Error) -> StatusCode {
    match error.kind() {
        // A name that is too long, or goes on after a file, names nothing either.
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
            StatusCode::NOT_FOUND
        }
        io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        io::ErrorKind::ResourceBusy => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn mime(path: &Path) -> &'static str {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "html" | "htm" => HTML,
        "txt" | "md" | "log" | "rs" | "toml" => TEXT,
        "css" => "text/css; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "wasm" => "application/wasm",
        "gz" => "application/gzip",
        "zip" => "application/zip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "webp" => "image/webp",
        "ico" => "image/vnd.microsoft.icon",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mp3" => "audio/mpeg",
        _ => "application/octet-stream",
    }
}
