#include "executors/http_client.h"

#include <curl/curl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace tuner::executors {
namespace {

constexpr size_t kMostIdle = 16;
constexpr int kPollMs = 1000;

// Once for the process, before the first handle. Never undone: other threads may use the libraries below it.
bool CurlIsReady() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready;
}

// "example.org/path", without user, query and fragment.
std::string NameOf(const HttpRequest& request) {
  absl::string_view name = request.url;
  if (const size_t scheme = name.find("://"); scheme != absl::string_view::npos) name.remove_prefix(scheme + 3);
  name = name.substr(0, name.find_first_of("?#"));
  const size_t host_end = name.find('/');
  if (const size_t user = name.substr(0, host_end).rfind('@'); user != absl::string_view::npos) {
    name.remove_prefix(user + 1);
  }
  if (request.unix_socket.empty()) return std::string(name);
  const size_t path = name.find('/');
  return absl::StrCat(request.unix_socket, path == absl::string_view::npos ? "/" : name.substr(path));
}

struct CloseFile {
  void operator()(FILE* file) const { fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

using HeaderList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

// What the callbacks of one request share.
struct Exchange {
  const HttpRequest& request;
  CURL* curl;
  HttpResponse response;
  absl::Status refused;  // by on_body, or for its length
  bool has_head = false;  // all of the answer's headers have come

  bool streams() const { return request.on_body && response.code >= 200 && response.code < 300; }
};

size_t TakeHeader(char* data, size_t size, size_t count, void* to) {
  auto& exchange = *static_cast<Exchange*>(to);
  const absl::string_view line(data, size * count);
  if (absl::StartsWith(line, "HTTP/")) {  // a new answer, after 100 Continue
    exchange.response = {};
    exchange.has_head = false;
    const size_t space = line.find(' ');
    if (space == absl::string_view::npos) return line.size();
    int code = 0;
    if (absl::SimpleAtoi(line.substr(space + 1, 3), &code)) exchange.response.code = code;
  } else if (line == "\r\n" || line == "\n") {
    exchange.has_head = true;
  } else if (const size_t colon = line.find(':'); colon != absl::string_view::npos) {
    exchange.response.headers[absl::AsciiStrToLower(line.substr(0, colon))] =
        std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return line.size();
}

size_t TakeBody(char* data, size_t size, size_t count, void* to) {
  auto& exchange = *static_cast<Exchange*>(to);
  const absl::string_view piece(data, size * count);
  if (exchange.streams()) {
    exchange.refused = exchange.request.on_body(piece);
    return exchange.refused.ok() ? piece.size() : 0;
  }
  if (exchange.response.body.size() + piece.size() > exchange.request.most_body_bytes) {
    exchange.refused = absl::ResourceExhaustedError(absl::StrCat(
        NameOf(exchange.request), ": the answer is longer than ", exchange.request.most_body_bytes, " bytes"));
    return 0;
  }
  absl::StrAppend(&exchange.response.body, piece);
  return piece.size();
}

long Milliseconds(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return 0;  // libcurl's word for it
  return static_cast<long>(std::max<int64_t>(1, absl::ToInt64Milliseconds(duration)));
}

// False: libcurl refused one of them.
bool SetOptions(Exchange& exchange, curl_slist* headers, FILE* body_file, int64_t body_file_size) {
  const HttpRequest& request = exchange.request;
  CURL* curl = exchange.curl;
  bool set = true;
  const auto option = [&](CURLoption name, auto value) { set &= curl_easy_setopt(curl, name, value) == CURLE_OK; };
  option(CURLOPT_URL, request.url.c_str());
  option(CURLOPT_PATH_AS_IS, 1L);
  option(CURLOPT_PROTOCOLS_STR, "http,https");
  option(CURLOPT_NOSIGNAL, 1L);
  option(CURLOPT_HTTPHEADER, headers);
  option(CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(request.connect_timeout));
  option(CURLOPT_TIMEOUT_MS, Milliseconds(request.timeout));
  if (request.stall_timeout != absl::InfiniteDuration()) {
    option(CURLOPT_LOW_SPEED_LIMIT, 1L);  // byte each second
    option(CURLOPT_LOW_SPEED_TIME,
           static_cast<long>(std::max<int64_t>(1, absl::ToInt64Seconds(request.stall_timeout))));
  }
  option(CURLOPT_HEADERFUNCTION, &TakeHeader);
  option(CURLOPT_HEADERDATA, &exchange);
  option(CURLOPT_WRITEFUNCTION, &TakeBody);
  option(CURLOPT_WRITEDATA, &exchange);
  if (!request.unix_socket.empty()) {
    option(CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
  }
  if (request.fresh_connection) option(CURLOPT_FRESH_CONNECT, 1L);
  if (!request.unix_socket.empty() || request.past_proxies) option(CURLOPT_PROXY, "");
  if (body_file != nullptr) {
    option(CURLOPT_UPLOAD, 1L);
    option(CURLOPT_READDATA, body_file);
    option(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(body_file_size));
  } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    option(CURLOPT_POST, 1L);
    option(CURLOPT_POSTFIELDS, request.body.data());
    option(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  } else if (request.method == "HEAD") {
    option(CURLOPT_NOBODY, 1L);
  }
  option(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  return set;
}

absl::Status WhatWentWrong(CURLcode code, const HttpRequest& request) {
  const std::string name = NameOf(request);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return absl::DeadlineExceededError(
          absl::StrCat(name, " did not answer within ", absl::FormatDuration(request.timeout),
                       " (to connect: ", absl::FormatDuration(request.connect_timeout), ")"));
    case CURLE_URL_MALFORMAT:
      return absl::InvalidArgumentError(absl::StrCat(name, ": ", curl_easy_strerror(code)));
    default:
      return absl::UnavailableError(absl::StrCat(name, ": ", curl_easy_strerror(code)));
  }
}

}  // namespace

void StopSignal::Raise() {
  // Under the lock, so that Remove waits for a wake that is under way.
  absl::MutexLock lock(&mutex_);
  raised_ = true;
  for (const auto& [id, wake] : wakes_) wake();
}

bool StopSignal::raised() const {
  absl::MutexLock lock(&mutex_);
  return raised_;
}

uint64_t StopSignal::Add(std::function<void()> wake) {
  absl::MutexLock lock(&mutex_);
  if (raised_) wake();
  wakes_.emplace(next_id_, std::move(wake));
  return next_id_++;
}

void StopSignal::Remove(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  wakes_.erase(id);
}

// A multi handle of its own for each request, as only that one can be woken; it keeps the connection.
class HttpClient::Connection {
 public:
  Connection() : multi_(curl_multi_init(), &curl_multi_cleanup), curl_(curl_easy_init(), &curl_easy_cleanup) {}

  bool ok() const { return multi_ != nullptr && curl_ != nullptr; }

  absl::StatusOr<HttpResponse> Send(const HttpRequest& request, StopSignal* stop) {
    HeaderList headers(nullptr, &curl_slist_free_all);
    const auto add_header = [&](const std::string& line) {
      if (curl_slist* longer = curl_slist_append(headers.get(), line.c_str())) {
        (void)headers.release();
        headers.reset(longer);
      }
    };
    add_header("Expect:");  // nobody waits for 100 Continue
    for (const auto& [name, value] : request.headers) {
      if (name.find_first_of("\r\n:") != std::string::npos || value.find_first_of("\r\n") != std::string::npos) {
        return absl::InvalidArgumentError(absl::StrCat(NameOf(request), ": a header holds the end of a line"));
      }
      add_header(value.empty() ? name + ";" : absl::StrCat(name, ": ", value));
    }
    File body_file;
    struct stat file_status = {};
    if (!request.body_file.empty()) {
      body_file.reset(fopen(request.body_file.c_str(), "rbe"));
      if (body_file == nullptr || fstat(fileno(body_file.get()), &file_status) != 0) {
        return absl::InvalidArgumentError(absl::StrCat("cannot read ", request.body_file));
      }
    }
    if (!absl::StartsWithIgnoreCase(request.url, "http://") && !absl::StartsWithIgnoreCase(request.url, "https://")) {
      return absl::InvalidArgumentError(absl::StrCat(NameOf(request), ": the URL is neither http:// nor https://"));
    }
    curl_easy_reset(curl_.get());
    Exchange exchange{request, curl_.get(), {}, absl::OkStatus()};
    if (!SetOptions(exchange, headers.get(), body_file.get(), file_status.st_size)) {
      return absl::InvalidArgumentError(absl::StrCat(NameOf(request), ": libcurl does not take this request"));
    }
    absl::Status done = Perform(exchange, stop);
    if (!exchange.refused.ok()) return exchange.refused;
    if (!done.ok()) return done;
    // libcurl takes the end of the connection for the end of the headers.
    if (!exchange.has_head) return absl::UnavailableError(absl::StrCat(NameOf(request), ": the answer was cut off"));
    return std::move(exchange.response);
  }

 private:
  absl::Status Perform(Exchange& exchange, StopSignal* stop) {
    if (curl_multi_add_handle(multi_.get(), curl_.get()) != CURLM_OK) {
      return absl::UnavailableError("libcurl takes no request");
    }
    const uint64_t wake = stop == nullptr ? 0 : stop->Add([this] { curl_multi_wakeup(multi_.get()); });
    absl::Status status;
    for (int running = 1; running > 0 && status.ok();) {
      if (stop != nullptr && stop->raised()) {
        status = absl::CancelledError(absl::StrCat(NameOf(exchange.request), ": the request was given up"));
      } else if (curl_multi_perform(multi_.get(), &running) != CURLM_OK ||
                 (running > 0 && curl_multi_poll(multi_.get(), nullptr, 0, kPollMs, nullptr) != CURLM_OK)) {
        status = absl::UnavailableError(absl::StrCat(NameOf(exchange.request), ": libcurl cannot wait"));
      }
    }
    if (stop != nullptr) stop->Remove(wake);
    if (status.ok()) {
      int left = 0;
      const CURLMsg* message = curl_multi_info_read(multi_.get(), &left);
      if (message == nullptr) {
        status = absl::UnavailableError(absl::StrCat(NameOf(exchange.request), ": no answer"));
      } else if (message->data.result != CURLE_OK) {
        status = WhatWentWrong(message->data.result, exchange.request);
      }
    }
    curl_multi_remove_handle(multi_.get(), curl_.get());
    return status;
  }

  // The easy handle goes first.
  std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi_;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl_;
};

HttpClient::HttpClient() = default;
HttpClient::~HttpClient() = default;

absl::StatusOr<HttpResponse> HttpClient::Send(const HttpRequest& request, StopSignal* stop) {
  if (!CurlIsReady()) return absl::UnavailableError("libcurl could not be initialised");
  std::unique_ptr<Connection> connection = Take();
  if (!connection->ok()) return absl::UnavailableError("libcurl has no handle");
  absl::StatusOr<HttpResponse> response = connection->Send(request, stop);
  if (response.ok()) GiveBack(std::move(connection));  // one that broke off is closed
  return response;
}

std::unique_ptr<HttpClient::Connection> HttpClient::Take() {
  absl::MutexLock lock(&mutex_);
  if (idle_.empty()) return std::make_unique<Connection>();
  std::unique_ptr<Connection> last = std::move(idle_.back());
  idle_.pop_back();
  return last;
}

void HttpClient::GiveBack(std::unique_ptr<Connection> connection) {
  absl::MutexLock lock(&mutex_);
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(connection));
}

std::string PercentEncode(absl::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += {'%', kHex[static_cast<unsigned char>(c) >> 4], kHex[static_cast<unsigned char>(c) & 15]};
    }
  }
  return out;
}

}  // namespace tuner::executors
