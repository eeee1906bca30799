#include "tests/aws/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace tuner::testing {
namespace {

bool SendAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// Reads on until `buffer` holds `size` bytes.
bool Fill(int fd, std::string& buffer, size_t size) {
  char piece[16384];
  while (buffer.size() < size) {
    const ssize_t got = recv(fd, piece, sizeof(piece), 0);
    if (got <= 0) return false;
    buffer.append(piece, static_cast<size_t>(got));
  }
  return true;
}

// One request off `buffer` and the socket. False: the connection ended.
bool Receive(int fd, std::string& buffer, ReceivedRequest& request) {
  size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill(fd, buffer, buffer.size() + 1)) return false;
  }
  std::istringstream head(buffer.substr(0, end));
  head >> request.method >> request.target;
  std::string line;
  std::getline(head, line);
  while (std::getline(head, line)) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    request.headers[absl::AsciiStrToLower(line.substr(0, colon))] =
        std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  size_t length = 0;
  if (!absl::SimpleAtoi(request.header("content-length"), &length)) length = 0;
  buffer.erase(0, end + 4);
  if (!Fill(fd, buffer, length)) return false;
  request.body = buffer.substr(0, length);
  buffer.erase(0, length);
  return true;
}

}  // namespace

std::string ReceivedRequest::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

ScriptedServer::ScriptedServer(Answer answer)
    : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_.get(), 64) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

ScriptedServer::~ScriptedServer() {
  {
    absl::MutexLock lock(&mutex_);
    ends_ = true;
    for (const int fd : connections_) shutdown(fd, SHUT_RDWR);
  }
  shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

std::string ScriptedServer::url() const { return absl::StrCat("http://127.0.0.1:", port_); }

std::vector<ReceivedRequest> ScriptedServer::received() const {
  absl::MutexLock lock(&mutex_);
  return received_;
}

void ScriptedServer::AwaitReceived(size_t count) const {
  absl::MutexLock lock(&mutex_);
  const auto enough = [&] {
    mutex_.AssertReaderHeld();
    return received_.size() >= count;
  };
  mutex_.Await(absl::Condition(&enough));
}

void ScriptedServer::Accept() {
  for (;;) {
    const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    absl::MutexLock lock(&mutex_);
    if (ends_) {
      close(fd);
      return;
    }
    connections_.push_back(fd);
    threads_.emplace_back([this, fd] { Serve(fd); });
  }
}

void ScriptedServer::Serve(int fd) {
  std::string buffer;
  for (ReceivedRequest request; Receive(fd, buffer, request); request = {}) {
    {
      absl::MutexLock lock(&mutex_);
      received_.push_back(request);
    }
    ScriptedReply reply;
    {
      absl::MutexLock lock(&answer_mutex_);
      reply = answer_(request);
    }
    if (reply.hang_up) break;
    std::string head = absl::StrCat("HTTP/1.1 ", reply.code, " x\r\n");
    if (reply.headers.count("Content-Length") == 0) reply.headers["Content-Length"] = absl::StrCat(reply.body.size());
    for (const auto& [name, value] : reply.headers) absl::StrAppend(&head, name, ": ", value, "\r\n");
    const std::string sent = request.method == "HEAD"
                                 ? ""
                                 : reply.body.substr(0, reply.body.size() - std::min(reply.cut, reply.body.size()));
    if (!SendAll(fd, absl::StrCat(head, "\r\n", sent)) || reply.cut > 0) break;
  }
  absl::MutexLock lock(&mutex_);
  connections_.erase(std::find(connections_.begin(), connections_.end(), fd));
  close(fd);
}

}  // namespace tuner::testing
