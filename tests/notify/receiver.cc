#include "tests/notify/receiver.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace tuner::testing {

Receiver::Receiver(Answer answer, int port) : answer_(std::move(answer)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(listen(listener_, 64), 0);
  socklen_t size = sizeof address;
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

Receiver::~Receiver() {
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
}

std::string Receiver::url() const { return absl::StrCat("http://127.0.0.1:", port_, "/hook"); }

std::vector<PostedRequest> Receiver::Await(size_t count) {
  absl::MutexLock lock(&mutex_);
  const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return requests_.size() >= count; };
  EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Minutes(1)))
      << requests_.size() << " requests came, " << count << " were awaited";
  return requests_;
}

void Receiver::Serve() {
  for (;;) {
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    ServeOne(connection);
    close(connection);
  }
}

void Receiver::ServeOne(int connection) {
  std::string data;
  size_t end_of_headers = std::string::npos;
  size_t whole = 0;
  PostedRequest request;
  for (char buffer[4096]; end_of_headers == std::string::npos || data.size() < whole;) {
    const ssize_t count = read(connection, buffer, sizeof buffer);
    if (count <= 0) return;
    data.append(buffer, static_cast<size_t>(count));
    if (end_of_headers != std::string::npos) continue;
    end_of_headers = data.find("\r\n\r\n");
    if (end_of_headers == std::string::npos) continue;
    std::istringstream lines(data.substr(0, end_of_headers));
    lines >> request.method >> request.path;
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      const size_t colon = line.find(':');
      request.headers[absl::AsciiStrToLower(line.substr(0, colon))] =
          std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    }
    whole = end_of_headers + 4 + std::stoul(request.headers["content-length"]);
  }
  request.body = data.substr(end_of_headers + 4);
  int number = 0;
  {
    absl::MutexLock lock(&mutex_);
    requests_.push_back(request);
    number = static_cast<int>(requests_.size());
  }
  const int status = answer_(number);
  const std::string answer = absl::StrCat("HTTP/1.1 ", status, " X\r\nLocation: http://127.0.0.1:1/\r\n",
                                          "Content-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(send(connection, answer.data(), answer.size(), MSG_NOSIGNAL), static_cast<ssize_t>(answer.size()));
}

}  // namespace tuner::testing
