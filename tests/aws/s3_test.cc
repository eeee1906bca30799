#include "executors/aws/s3.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "executors/aws/sha256.h"
#include "tests/aws/aws_fixture.h"
#include "tests/aws/scripted_server.h"

namespace tuner::executors::aws {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ReceivedRequest;
using testing::ScriptedReply;
using testing::ScriptedServer;
using ::testing::SizeIs;

namespace fs = std::filesystem;

TEST(S3UriTest, ParsesAndJoins) {
  EXPECT_EQ(ParseS3Uri("s3://bucket/a/b c%20").value(), (S3Uri{"bucket", "a/b c%20"}));
  EXPECT_EQ(ParseS3Uri("s3://bucket").value(), (S3Uri{"bucket", ""}));
  EXPECT_EQ(ParseS3Uri("s3://bucket/").value(), (S3Uri{"bucket", ""}));
  EXPECT_EQ(ParseS3Uri("s3://bucket//a").value(), (S3Uri{"bucket", "/a"}));
  EXPECT_EQ((S3Uri{"bucket", "a/b"}).ToString(), "s3://bucket/a/b");
  for (const char* text :
       {"", "bucket/a", "s3:/bucket", "s3://", "s3://ab", "s3:///key", "s3://a?b/c", "S3://bucket/a", "s3://a@bc"}) {
    EXPECT_EQ(ParseS3Uri(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_EQ((S3Uri{"b", ""}).Join("x").key, "x");
  EXPECT_EQ((S3Uri{"b", "a"}).Join("x").key, "a/x");
  EXPECT_EQ((S3Uri{"b", "a/"}).Join("/x").key, "a/x");
}

TEST(S3UriTest, BucketsStandInTheHostWhereTheyCan) {
  const char endpoint[] = "https://s3.eu-west-1.amazonaws.com";
  EXPECT_EQ(UrlOf({"my-bucket", "a b/ü+"}, endpoint, false),
            "https://my-bucket.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC%2B");
  EXPECT_EQ(UrlOf({"my-bucket", "a"}, endpoint, true), "https://s3.eu-west-1.amazonaws.com/my-bucket/a");
  for (const std::string bucket : {"dots.in.it", "Upper", "under_score", "-dash", "dash-"}) {
    EXPECT_EQ(UrlOf({bucket, "a"}, endpoint, false), absl::StrCat(endpoint, "/", bucket, "/a"));
  }
}

// What S3 does, in memory.
class FakeS3 {
 public:
  std::map<std::string, std::string> objects;  // by "bucket/key", as in the path
  std::map<std::string, std::map<int, std::string>> uploads;
  int uploads_begun = 0;
  std::map<std::string, std::vector<ScriptedReply>> planned;  // by method, given first

  ScriptedReply operator()(const ReceivedRequest& request) {
    std::vector<ScriptedReply>& next = planned[request.method];
    if (!next.empty()) {
      ScriptedReply reply = next.front();
      next.erase(next.begin());
      return reply;
    }
    const size_t question = request.target.find('?');
    const std::string path = Decode(request.target.substr(1, question - 1));
    const auto query = Query(question == std::string::npos ? "" : request.target.substr(question + 1));
    if (query.count("list-type") == 1) return List(path, query);
    if (query.count("uploads") == 1 || query.count("uploadId") == 1) return Multipart(request, path, query);
    if (request.method == "PUT") {
      objects[path] = request.body;
      return {.headers = {{"ETag", "\"e\""}}};
    }
    if (request.method == "DELETE") return objects.erase(path) == 1 ? ScriptedReply{.code = 204} : Missing("NoSuchKey");
    const auto found = objects.find(path);
    if (found == objects.end()) return Missing("NoSuchKey");
    return {.body = found->second, .headers = {{"ETag", "\"e\""}, {"Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT"}}};
  }

  static ScriptedReply Missing(const std::string& code) {
    return {
        .code = 404,
        .body = absl::StrCat("<Error><Code>", code, "</Code><Message>none</Message><RequestId>r</RequestId></Error>")};
  }

 private:
  static std::string Decode(const std::string& text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      out += text[i] == '%' ? static_cast<char>(std::stoi(text.substr((i += 2) - 1, 2), nullptr, 16)) : text[i];
    }
    return out;
  }
  static std::map<std::string, std::string> Query(const std::string& text) {
    std::map<std::string, std::string> query;
    for (const absl::string_view pair : absl::StrSplit(text, '&', absl::SkipEmpty())) {
      const std::vector<std::string> parts = absl::StrSplit(pair, absl::MaxSplits('=', 1));
      query[parts[0]] = parts.size() > 1 ? Decode(parts[1]) : "";
    }
    return query;
  }

  ScriptedReply List(const std::string& path, const std::map<std::string, std::string>& query) const {
    const std::string prefix = absl::StrCat(path, query.at("prefix"));
    std::string xml = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><EncodingType>url</EncodingType>";
    int left = std::min(3, std::stoi(query.at("max-keys")));  // small pages
    for (const auto& [key, body] : objects) {
      if (!absl::StartsWith(key, prefix)) continue;
      const std::string name = key.substr(path.size());
      if (query.count("continuation-token") == 1 && name <= query.at("continuation-token")) continue;
      if (left-- == 0) {
        absl::StrAppend(&xml, "<NextContinuationToken>", last_, "</NextContinuationToken>");
        break;
      }
      last_ = name;
      std::string encoded;
      for (const char c : name)
        absl::StrAppend(&encoded, c == ' ' ? "+" : c == '/' ? "/" : PercentEncode(std::string(1, c)));
      absl::StrAppend(&xml, "<Contents><Key>", encoded, "</Key><Size>", body.size(),
                      "</Size><ETag>\"e\"</ETag></Contents>");
    }
    return {.body = xml + "</ListBucketResult>"};
  }

  ScriptedReply Multipart(const ReceivedRequest& request, const std::string& path,
                          const std::map<std::string, std::string>& query) {
    if (query.count("uploads") == 1) {
      const std::string id = absl::StrCat("id=", ++uploads_begun);
      uploads[id];
      return {.body = absl::StrCat("<InitiateMultipartUploadResult><UploadId>", id,
                                   "</UploadId></InitiateMultipartUploadResult>")};
    }
    const auto upload = uploads.find(query.at("uploadId"));
    if (upload == uploads.end()) return Missing("NoSuchUpload");
    if (request.method == "PUT") {
      upload->second[std::stoi(query.at("partNumber"))] = request.body;
      return {.headers = {{"ETag", absl::StrCat("\"", query.at("partNumber"), "\"")}}};
    }
    if (request.method == "POST") {
      std::string& object = objects[path];
      object.clear();
      for (const auto& [number, part] : upload->second) {
        if (!absl::StrContains(request.body, absl::StrCat("<PartNumber>", number, "</PartNumber>")))
          return {.code = 400};
        object += part;
      }
    }
    uploads.erase(upload);
    return {.code = request.method == "POST" ? 200 : 204};
  }

  mutable std::string last_;
};

class S3Test : public ::testing::Test, public testing::AwsFixture {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) /
              absl::StrCat("tuner-s3-", getpid(), "-", ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
    S3Options options;
    options.service = Options(server_.url());
    options.multipart_above = 100;
    options.part_size = 64;
    client_ = std::make_unique<S3Client>(options, services());
  }
  void TearDown() override {
    client_.reset();
    fs::remove_all(folder_);
  }

  std::string Write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  size_t Count(const std::string& method) const {
    size_t count = 0;
    for (const ReceivedRequest& request : server_.received()) count += request.method == method;
    return count;
  }
  std::vector<std::string> FilesIn(const fs::path& folder) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
    return names;
  }

  fs::path folder_;
  FakeS3 s3_;
  ScriptedServer server_{[this](const ReceivedRequest& request) { return s3_(request); }};
  std::unique_ptr<S3Client> client_;
};

TEST_F(S3Test, PutsAndGetsAFile) {
  const std::string path = Write("in", "hello");
  ASSERT_TRUE(client_->PutFile(path, {"bucket", "a b/+ü"}).ok());
  EXPECT_EQ(s3_.objects["bucket/a b/+ü"], "hello");
  const ReceivedRequest put = server_.received()[0];
  EXPECT_EQ(put.target, "/bucket/a%20b/%2B%C3%BC");
  EXPECT_EQ(put.header("x-amz-content-sha256"), HexSha256("hello"));
  EXPECT_EQ(put.header("x-amz-server-side-encryption"), "");

  const std::string out = (folder_ / "new/folder/out").string();
  ASSERT_TRUE(client_->GetFile({"bucket", "a b/+ü"}, out).ok());
  EXPECT_EQ(Read(out), "hello");
  EXPECT_THAT(FilesIn(folder_ / "new/folder"), ElementsAre("out"));
}

TEST_F(S3Test, EmptyFilesToo) {
  ASSERT_TRUE(client_->PutFile(Write("in", ""), {"bucket", "k"}).ok());
  ASSERT_TRUE(client_->GetFile({"bucket", "k"}, (folder_ / "out").string()).ok());
  EXPECT_TRUE(fs::exists(folder_ / "out"));
}

TEST_F(S3Test, EncryptsWithTheGivenKey) {
  S3Options options;
  options.service = Options(server_.url());
  options.kms_key_id = "my-key";
  ASSERT_TRUE(S3Client(options, services()).PutFile(Write("in", "x"), {"bucket", "k"}).ok());
  EXPECT_EQ(server_.received()[0].header("x-amz-server-side-encryption"), "aws:kms");
  EXPECT_EQ(server_.received()[0].header("x-amz-server-side-encryption-aws-kms-key-id"), "my-key");
}

TEST_F(S3Test, AFailedGetLeavesWhatWasThere) {
  const std::string path = Write("out", "old");
  const absl::Status status = client_->GetFile({"bucket", "none"}, path);
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("s3://bucket/none"), HasSubstr("NoSuchKey")));
  EXPECT_EQ(Read(path), "old");
  EXPECT_THAT(FilesIn(folder_), ElementsAre("out"));
  EXPECT_EQ(client_->GetFile({"bucket", "none"}, "/proc/nowhere/out").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(S3Test, ATransferThatBreaksBeginsAnew) {
  s3_.objects["bucket/k"] = "the whole of it";
  s3_.planned["GET"] = {{.body = "the whole of it", .cut = 6},
                        {.body = "the wh", .headers = {{"Content-Length", "15"}}, .cut = 1}};
  ASSERT_TRUE(client_->GetFile({"bucket", "k"}, (folder_ / "out").string()).ok());
  EXPECT_EQ(Read((folder_ / "out").string()), "the whole of it");
  EXPECT_EQ(Count("GET"), 3);
}

TEST_F(S3Test, HeadListAndDelete) {
  for (const char* key : {"p/a", "p/b c", "p/c/d", "p/e&<f>", "p/g+h", "q/x", "p/ü"})
    s3_.objects[absl::StrCat("bucket/", key)] = key;
  const absl::StatusOr<S3Object> head = client_->Head({"bucket", "p/b c"});
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->size, 5);
  EXPECT_EQ(head->etag, "\"e\"");
  EXPECT_EQ(head->modified, testing::TestTime());
  EXPECT_TRUE(absl::IsNotFound(client_->Head({"bucket", "none"}).status()));

  const auto keys = [&](const S3Uri& prefix, int64_t most) {
    std::vector<std::string> names;
    const auto objects = client_->List(prefix, {}, most);
    EXPECT_TRUE(objects.ok()) << objects.status();
    for (const S3Object& object : *objects) names.push_back(object.key);
    return names;
  };
  EXPECT_THAT(keys({"bucket", "p/"}, INT64_MAX), ElementsAre("p/a", "p/b c", "p/c/d", "p/e&<f>", "p/g+h", "p/ü"));
  EXPECT_THAT(keys({"bucket", "p/"}, 2), ElementsAre("p/a", "p/b c"));
  EXPECT_THAT(keys({"bucket", "p/"}, 4), SizeIs(4));
  EXPECT_THAT(keys({"bucket", "none"}, INT64_MAX), IsEmpty());

  EXPECT_TRUE(client_->Delete({"bucket", "p/a"}).ok());
  EXPECT_TRUE(client_->Delete({"bucket", "p/a"}).ok()) << "none is there";
  s3_.planned["DELETE"] = {FakeS3::Missing("NoSuchBucket")};
  EXPECT_TRUE(absl::IsNotFound(client_->Delete({"bucket", "p/a"})));
}

TEST_F(S3Test, LargeFilesGoInParts) {
  std::string text;
  for (int i = 0; i < 50; ++i) absl::StrAppend(&text, i, ",");
  s3_.planned["PUT"] = {{.code = 503, .body = "<Error><Code>SlowDown</Code></Error>"}};
  const absl::Status status = client_->PutFile(Write("in", text), {"bucket", "k"});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(s3_.objects["bucket/k"], text);
  EXPECT_EQ(Count("PUT"), 1 + (text.size() + 63) / 64);
  EXPECT_THAT(s3_.uploads, IsEmpty());
}

TEST_F(S3Test, AFailedPartAbortsTheUpload) {
  s3_.planned["PUT"] = {{.code = 400, .body = "<Error><Code>EntityTooLarge</Code></Error>"}};
  const absl::Status status = client_->PutFile(Write("in", std::string(200, 'x')), {"bucket", "k"});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(s3_.uploads_begun, 1);
  EXPECT_THAT(s3_.uploads, IsEmpty());
  EXPECT_THAT(s3_.objects, IsEmpty());
}

TEST_F(S3Test, AStopAbortsTheUpload) {
  StopSignal stop;
  s3_.planned["PUT"] = {};
  ScriptedServer stopping([&](const ReceivedRequest& request) {
    if (request.method == "PUT") stop.Raise();
    return s3_(request);
  });
  S3Options options;
  options.service = Options(stopping.url());
  options.multipart_above = 100;
  options.part_size = 64;
  EXPECT_TRUE(absl::IsCancelled(
      S3Client(options, services()).PutFile(Write("in", std::string(200, 'x')), {"bucket", "k"}, {.stop = &stop})));
  EXPECT_EQ(s3_.uploads_begun, 1);
  EXPECT_THAT(s3_.uploads, IsEmpty());
}

TEST_F(S3Test, AnErrorIn200IsAnError) {
  const std::string path = Write("in", std::string(200, 'x'));
  ScriptedServer failing([&](const ReceivedRequest& request) {
    if (request.method != "POST" || !absl::StrContains(request.target, "uploadId")) return s3_(request);
    return ScriptedReply{
        .body = "<?xml version=\"1.0\"?>\n  <Error><Code>InternalError</Code><Message>sorry</Message></Error>"};
  });
  S3Options options;
  options.service = Options(failing.url());
  options.multipart_above = 100;
  const absl::Status status = S3Client(options, services()).PutFile(path, {"bucket", "k"});
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(s3_.uploads, IsEmpty());
}

TEST_F(S3Test, SaysWhatCannotBeUploaded) {
  for (const absl::Status& status :
       {client_->PutFile((folder_ / "none").string(), {"bucket", "k"}),
        client_->PutFile(folder_.string(), {"bucket", "k"}), client_->PutFile(Write("in", "x"), {"bucket", ""}),
        client_->PutFile(Write("in", "x"), {"b?", "k"}),
        client_->UploadOnce((folder_ / "none").string(), {"bucket", "p"}).status(),
        client_->UploadOnce("/dev/null", {"bucket", "p"}).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  }
  fs::create_directories(folder_ / "empty/folders/only");
  EXPECT_THAT(std::string(client_->UploadOnce((folder_ / "empty").string(), {"bucket", "p"}).status().message()),
              HasSubstr("no file"));
  fs::create_directory_symlink(folder_ / "empty", folder_ / "empty/loop");
  EXPECT_EQ(client_->UploadOnce((folder_ / "empty").string(), {"bucket", "p"}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Count("PUT"), 0);
}

TEST_F(S3Test, UploadsATreeOnceByItsContents) {
  Write("data/train/a.csv", "1");
  Write("data/b.csv", "2");
  fs::create_symlink(folder_ / "data/b.csv", folder_ / "data/link.csv");
  const std::string data = (folder_ / "data").string();
  const absl::StatusOr<S3Uri> first = client_->UploadOnce(data, {"bucket", "inputs"});
  ASSERT_TRUE(first.ok()) << first.status();
  // As: cd data && find -L . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum -z | sha256sum
  const auto line = [](const std::string& text, const std::string& name) {
    return HexSha256(text) + "  " + name + '\0';
  };
  EXPECT_EQ(
      first->key,
      absl::StrCat("inputs/", HexSha256(line("2", "b.csv") + line("2", "link.csv") + line("1", "train/a.csv")), "/"));
  EXPECT_EQ(s3_.objects[absl::StrCat("bucket/", first->key, "train/a.csv")], "1");
  EXPECT_EQ(s3_.objects[absl::StrCat("bucket/", first->key, "link.csv")], "2");
  EXPECT_EQ(Count("PUT"), 3);

  EXPECT_EQ(client_->UploadOnce(data, {"bucket", "inputs/"}).value(), *first);
  EXPECT_EQ(Count("PUT"), 3) << "it was there";

  s3_.objects.erase(absl::StrCat("bucket/", first->key, "b.csv"));
  EXPECT_EQ(client_->UploadOnce(data, {"bucket", "inputs"}).value(), *first);
  EXPECT_EQ(Count("PUT"), 4) << "what was missing came again";

  Write("data/b.csv", "3");
  EXPECT_NE(client_->UploadOnce(data, {"bucket", "inputs"}).value(), *first);
}

TEST_F(S3Test, UploadsOneFileOnce) {
  const std::string path = Write("data.csv", std::string(150, 'x'));
  const absl::StatusOr<S3Uri> uri = client_->UploadOnce(path, {"bucket", ""});
  ASSERT_TRUE(uri.ok()) << uri.status();
  EXPECT_THAT(uri->ToString(), EndsWith("/"));
  EXPECT_EQ(s3_.objects[absl::StrCat("bucket/", uri->key, "data.csv")], std::string(150, 'x'));
  EXPECT_EQ(client_->UploadOnce(path, {"bucket", ""}).value(), *uri);
  EXPECT_EQ(s3_.uploads_begun, 1);
}

TEST_F(S3Test, SeveralMayUploadTheSameAtOnce) {
  for (int i = 0; i < 10; ++i) Write(absl::StrCat("data/", i), std::string(static_cast<size_t>(20 * i), 'x'));
  std::vector<std::string> uris(4);
  std::vector<std::thread> threads;
  for (std::string& uri : uris) {
    threads.emplace_back([&] { uri = client_->UploadOnce((folder_ / "data").string(), {"bucket", "p"})->ToString(); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(uris, std::vector<std::string>(4, uris[0]));
  EXPECT_THAT(s3_.objects, SizeIs(10));
  EXPECT_THAT(s3_.uploads, IsEmpty());
}

TEST_F(S3Test, NamesTheRegionOfABucketElsewhere) {
  s3_.planned["HEAD"] = {{.code = 301, .headers = {{"x-amz-bucket-region", "us-west-2"}}}};
  EXPECT_THAT(std::string(client_->Head({"bucket", "k"}).status().message()), HasSubstr("us-west-2"));
}

}  // namespace
}  // namespace tuner::executors::aws
