//! The HTTP server: connections in, guarded requests to the page's files and the API.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;

use crate::api::Question;
use crate::cache::Cache;
use crate::error::{ApiError, ErrorKind};
use crate::guard::{self, Guard};
use crate::{Recording, assets};

/// Connections at a time; a browser opens six.
const MAX_CONNECTIONS: usize = 128;
/// Bytes of a request's line and headers.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long a connection may take to send a request's head, or wait idle for the next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long answers under way may take after the server was told to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// What the answers kept for equal questions may take.
const CACHE_BYTES: usize = 24 * 1024 * 1024;

/// How to serve.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// The TCP port; 0 takes a free one.
    pub port: u16,
}

/// Why the server cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is not to be had.
    #[error("port {port} of 127.0.0.1 cannot be opened: {error}")]
    Bind {
        /// The port asked for.
        port: u16,
        /// What the system said.
        error: std::io::Error,
    },
    /// The system gave no randomness for the token.
    #[error("the system gave no random bytes for the page's secret address: {0}")]
    Random(getrandom::Error),
    /// The threads or the event loop could not be made.
    #[error("the server cannot start: {0}")]
    Start(std::io::Error),
}

/// A server that listens but does not answer yet; see [`Server::run`].
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    guard: Guard,
    recordings: Vec<Recording>,
    cache: Cache,
    /// Answers computed at a time. A browser that zooms quickly drops requests that still wait
    /// here before they cost anything.
    work: Arc<Semaphore>,
}

impl Server {
    /// Listens on the loopback address, under a new token.
    ///
    /// # Errors
    /// When the port is taken, or the system has no random bytes.
    pub fn bind(recordings: Vec<Recording>, options: Options) -> Result<Server, ServeError> {
        let bind_error = |error| ServeError::Bind {
            port: options.port,
            error,
        };
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).map_err(bind_error)?;
        listener.set_nonblocking(true).map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        let cpus = std::thread::available_parallelism().map_or(2, |cpus| cpus.get().clamp(2, 8));
        let shared = Shared {
            guard: Guard::new(address.port()).map_err(ServeError::Random)?,
            recordings,
            cache: Cache::new(CACHE_BYTES),
            work: Arc::new(Semaphore::new(cpus)),
        };
        Ok(Server {
            listener,
            address,
            shared: Arc::new(shared),
        })
    }

    /// Where the page is: `http://127.0.0.1:PORT/TOKEN/`. Whoever has it can read the recordings.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/{}/", self.address, self.shared.guard.token())
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// An address that leads to the page once, within a minute: what a browser is started with, as
    /// every user of the machine can read a program's arguments. The next one replaces it.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn launch_url(&self) -> Result<String, ServeError> {
        let key = self.shared.guard.new_launch_key();
        let key = key.map_err(ServeError::Random)?;
        Ok(format!(
            "http://{}{}{key}",
            self.address,
            guard::LAUNCH_PATH
        ))
    }

    /// Answers until `stop` is done, then lets what is under way end.
    ///
    /// # Errors
    /// When the event loop cannot be made.
    pub fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sondage-serve")
            .enable_all()
            .build()
            .map_err(ServeError::Start)?;
        let result = runtime.block_on(async {
            let listener =
                tokio::net::TcpListener::from_std(self.listener).map_err(ServeError::Start)?;
            accept(listener, router(self.shared), stop).await;
            Ok(())
        });
        // An answer that is still being computed must not keep the program from ending.
        runtime.shutdown_background();
        result
    }
}

/// Tells the allocator to keep few pools; for a program that does nothing but serve.
// PERF: glibc gives threads up to 8 pools a CPU, and each keeps what its threads once used.
// `latency` on 10 million samples, 2-core VM: 409–441 MiB resident before, 244 MiB after.
pub fn keep_memory_small() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` takes two integers, may be called at any time, and only sets a limit.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// Done when the user or the system asks the program to end: Ctrl-C or SIGTERM.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES);
    let mut stop = pin!(stop);
    loop {
        let next = async {
            // The semaphore is never closed, so that there always is a permit in the end.
            let permit = Arc::clone(&connections).acquire_owned().await.ok();
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, as a rule: those in use come back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Without it small answers wait for the other side's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A connection that fails concerns nobody but its other end, which knows.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(STOP_TIMEOUT, graceful.shutdown()).await;
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/{token}", get(to_page))
        .route("/{token}/", get(page))
        .route("/{token}/api/{call}", get(api))
        .route("/{token}/{*path}", get(asset))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guarded))
        .with_state(shared)
}

async fn guarded(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let guard = &shared.guard;
    // Decided here, so that no route is ever reached without the token.
    let mut response = if guard.take_launch_key(&request, Instant::now()) {
        Redirect::to(&format!("/{}/", guard.token())).into_response()
    } else {
        match guard.check(&request) {
            Ok(()) => next.run(request).await,
            Err(status) => refusal(status),
        }
    };
    guard::add_headers(response.headers_mut());
    response
}

fn refusal(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let methods = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}

/// The page's own addresses are relative to the folder.
async fn to_page(Path(token): Path<String>) -> Redirect {
    Redirect::permanent(&format!("/{token}/"))
}

async fn page() -> Response {
    asset_response("")
}

async fn asset(Path((_, path)): Path<(String, String)>) -> Response {
    asset_response(&path)
}

fn asset_response(path: &str) -> Response {
    let Some(asset) = assets::get(path) else {
        return refusal(StatusCode::NOT_FOUND);
    };
    let keep = if asset.immutable {
        "private, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, keep),
    ];
    (headers, Body::from(asset.bytes)).into_response()
}

async fn api(
    State(shared): State<Arc<Shared>>,
    Path((_, call)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    match answer(&shared, &call, query.as_deref().unwrap_or("")).await {
        Ok(answer) => json(StatusCode::OK, answer),
        Err(error) => {
            let status = match error.kind() {
                ErrorKind::BadQuestion => StatusCode::BAD_REQUEST,
                ErrorKind::NotFound => StatusCode::NOT_FOUND,
                ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            };
            json(status, error.to_json().into())
        }
    }
}

async fn answer(shared: &Arc<Shared>, call: &str, query: &str) -> Result<Bytes, ApiError> {
    let question = Question::parse(call, query)?;
    let key = question.key();
    if let Some(answer) = shared.cache.get(&key) {
        return Ok(answer);
    }
    let permit = Arc::clone(&shared.work).acquire_owned().await.ok();
    let worker = Arc::clone(shared);
    let work = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        question.answer(&worker.recordings)
    });
    let answer = Bytes::from(work.await.map_err(|panic| crashed(&panic))??);
    shared.cache.put(key, &answer);
    Ok(answer)
}

fn crashed(_: &tokio::task::JoinError) -> ApiError {
    ApiError::internal(
        "sondage failed while it computed this answer; other questions still work",
        "please report this with what the terminal of `sondage view` shows",
    )
}

fn json(status: StatusCode, body: Bytes) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (status, headers, Body::from(body)).into_response()
}
