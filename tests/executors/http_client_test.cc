// One request and one answer over a unix socket, and all that may go wrong between.
#include "executors/http_client.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "executors/run_folder.h"
#include "gmock/gmock.h"
#include "tests/executors/scripted_http.h"

namespace tuner::executors {
namespace {

using absl::StatusCode;
using testing::HasSubstr;
using testing::Not;

HttpRequest To(const ScriptedHttp& server, const std::string& path = "/path?secret=1") {
  HttpRequest request;
  request.url = "http://engine" + path;
  request.unix_socket = server.socket();
  return request;
}

// Waits until the other end has closed the connection.
void AwaitClosed(int fd) {
  struct pollfd closed = {fd, POLLIN | POLLRDHUP, 0};
  poll(&closed, 1, -1);
}

TEST(HttpClientTest, SendsARequestAndTakesItsAnswer) {
  ScriptedHttp server([](int fd, const std::string&) {
    ScriptedHttp::Write(fd, "HTTP/1.1 201 Created\r\nX-One: a\r\nx-one:  b \r\nContent-Length: 4\r\n\r\nbody");
  });
  HttpClient http;
  HttpRequest request = To(server);
  request.method = "POST";
  request.headers = {{"X-Mine", "v"}, {"X-Empty", ""}};
  request.body = "hello";
  const absl::StatusOr<HttpResponse> response = http.Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->code, 201);
  EXPECT_EQ(response->body, "body");
  EXPECT_EQ(response->headers.at("x-one"), "b");
  const std::string head = server.heads().at(0);
  EXPECT_THAT(head, HasSubstr("POST /path?secret=1 HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Mine: v\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Empty:\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("Expect")));
}

TEST(HttpClientTest, ErrorsAreAnswers) {
  ScriptedHttp server([](int fd, const std::string&) {
    ScriptedHttp::Write(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  });
  HttpClient http;
  HttpRequest request = To(server);
  bool streamed = false;
  request.on_body = [&](absl::string_view) {
    streamed = true;
    return absl::OkStatus();
  };
  const absl::StatusOr<HttpResponse> response = http.Send(request);
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->code, 404);
  EXPECT_EQ(response->body, "no");
  EXPECT_FALSE(streamed);
}

TEST(HttpClientTest, BodiesCanBeTakenPieceByPiece) {
  ScriptedHttp server([](int fd, const std::string&) {
    ScriptedHttp::Write(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    ScriptedHttp::Write(fd, "2\r\nde\r\n0\r\n\r\n");
  });
  HttpClient http;
  HttpRequest request = To(server);
  std::string all;
  request.on_body = [&](absl::string_view piece) {
    absl::StrAppend(&all, piece);
    return absl::OkStatus();
  };
  ASSERT_TRUE(http.Send(request).ok());
  EXPECT_EQ(all, "abcde");
  request.on_body = [](absl::string_view) { return absl::DataLossError("enough"); };
  EXPECT_EQ(http.Send(request).status(), absl::DataLossError("enough"));
}

TEST(HttpClientTest, AnAnswerThatIsCutOffIsNone) {
  for (const char* answer : {"", "HTTP/1.1 200 OK\r\nContent-Len", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha", "rubbish\n\n"}) {
    ScriptedHttp server([&](int fd, const std::string&) { ScriptedHttp::Write(fd, answer); });
    HttpClient http;
    const absl::Status status = http.Send(To(server)).status();
    EXPECT_EQ(status.code(), StatusCode::kUnavailable) << answer << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(server.socket() + "/path"));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
  }
}

TEST(HttpClientTest, NobodyThereIsUnavailable) {
  HttpClient http;
  HttpRequest request;
  request.url = "http://engine/";
  request.unix_socket = "/nowhere/sock";
  EXPECT_EQ(http.Send(request).status().code(), StatusCode::kUnavailable);
  request.url = "ftp://engine/";
  EXPECT_EQ(http.Send(request).status().code(), StatusCode::kInvalidArgument);
}

TEST(HttpClientTest, SlowAnswersAreGivenUp) {
  ScriptedHttp server([](int fd, const std::string&) { AwaitClosed(fd); });
  HttpClient http;
  HttpRequest request = To(server);
  request.timeout = absl::Milliseconds(50);
  EXPECT_EQ(http.Send(request).status().code(), StatusCode::kDeadlineExceeded);
}

TEST(HttpClientTest, AStopSignalEndsARequestThatWaits) {
  absl::Notification asked;
  ScriptedHttp server([&](int fd, const std::string&) {
    asked.Notify();
    AwaitClosed(fd);
  });
  HttpClient http;
  HttpRequest request = To(server);
  request.timeout = absl::InfiniteDuration();
  StopSignal stop;
  std::thread raise([&] {
    asked.WaitForNotification();
    stop.Raise();
  });
  EXPECT_EQ(http.Send(request, &stop).status().code(), StatusCode::kCancelled);
  raise.join();
  EXPECT_EQ(http.Send(request, &stop).status().code(), StatusCode::kCancelled) << "and those that begin later";
}

TEST(HttpClientTest, LongBodiesAreBounded) {
  ScriptedHttp server([](int fd, const std::string&) {
    ScriptedHttp::Write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'x'));
  });
  HttpClient http;
  HttpRequest request = To(server);
  request.most_body_bytes = 99;
  EXPECT_EQ(http.Send(request).status().code(), StatusCode::kResourceExhausted);
}

TEST(HttpClientTest, ConnectionsAreUsedAgainUntilTheOtherEndClosesThem) {
  ScriptedHttp server([](int fd, const std::string&) {
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1";
    ScriptedHttp::Write(fd, answer);
    char c;
    std::string head;
    while (head.find("\r\n\r\n") == std::string::npos && read(fd, &c, 1) == 1) head += c;
    ScriptedHttp::Write(fd, answer);
  });
  HttpClient http;
  for (int i = 0; i < 3; ++i) {
    const absl::StatusOr<HttpResponse> response = http.Send(To(server));
    ASSERT_TRUE(response.ok()) << i << response.status();
  }
  EXPECT_EQ(server.heads().size(), 2u);  // two requests by the first connection, one by the second
}

TEST(HttpClientTest, HeadersCannotHoldLines) {
  HttpClient http;
  HttpRequest request;
  request.url = "http://engine/";
  request.headers = {{"X", "a\r\nInjected: 1"}};
  EXPECT_EQ(http.Send(request).status().code(), StatusCode::kInvalidArgument);
}

TEST(HttpClientTest, ManyThreadsAskBesideEachOther) {
  ScriptedHttp server([](int fd, const std::string& head) {
    const std::string path = head.substr(5, head.find(' ', 5) - 5);
    ScriptedHttp::Write(fd, absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", path.size(), "\r\n\r\n", path));
  });
  HttpClient http;
  std::vector<std::thread> threads;
  std::vector<std::string> bodies(32);
  for (size_t i = 0; i < bodies.size(); ++i) {
    threads.emplace_back([&, i] {
      const absl::StatusOr<HttpResponse> response = http.Send(To(server, absl::StrCat("/", i)));
      bodies[i] = response.ok() ? response->body : std::string(response.status().message());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < bodies.size(); ++i) EXPECT_EQ(bodies[i], absl::StrCat(i));
}

TEST(HttpClientTest, AFileCanBeTheBody) {
  char path[] = "/tmp/tuner-body-XXXXXX";
  close(mkstemp(path));
  ASSERT_TRUE(WriteFile(path, "from a file").ok());
  std::string body;
  ScriptedHttp server([&](int fd, const std::string&) {
    char buffer[64];
    while (body.size() < 11) {
      const ssize_t n = read(fd, buffer, sizeof(buffer));
      if (n <= 0) break;
      body.append(buffer, static_cast<size_t>(n));
    }
    ScriptedHttp::Write(fd, "HTTP/1.1 204 No Content\r\n\r\n");
  });
  HttpClient http;
  HttpRequest request = To(server);
  request.method = "PUT";
  request.body_file = path;
  const absl::StatusOr<HttpResponse> response = http.Send(request);
  unlink(path);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->code, 204);
  EXPECT_EQ(body, "from a file");
  EXPECT_THAT(server.heads().at(0), HasSubstr("PUT /path?secret=1 HTTP/1.1\r\n"));
}

TEST(PercentEncodeTest, LeavesOnlyUnreservedCharacters) {
  EXPECT_EQ(PercentEncode("aZ9-._~"), "aZ9-._~");
  EXPECT_EQ(PercentEncode("a b/c=\xff"), "a%20b%2Fc%3D%FF");
}

}  // namespace
}  // namespace tuner::executors
