#include "executors/aws/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace tuner::executors::aws {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

// Of AWS's published test suite: keys, scope and time.
const Credentials kSuiteKeys = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};
const SigningScope kSuiteScope = {"service", "us-east-1"};

absl::Time SuiteTime() { return absl::FromCivil(absl::CivilSecond(2015, 8, 30, 12, 36, 0), absl::UTCTimeZone()); }

std::string SuiteSignature(const std::string& method, const std::string& target, Headers headers = {},
                           const std::string& body = "", const Credentials& keys = kSuiteKeys) {
  const absl::StatusOr<Headers> added =
      Sign({method, "https://example.amazonaws.com" + target, std::move(headers), HexSha256(body)}, kSuiteScope, keys,
           SuiteTime());
  EXPECT_TRUE(added.ok()) << added.status();
  if (!added.ok()) return "";
  const std::string& authorization = added->back().second;
  return authorization.substr(authorization.rfind('=') + 1);
}

TEST(SigV4Test, SignsAsThePublishedSuite) {
  const std::string vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
  EXPECT_EQ(SuiteSignature("GET", "/"), vanilla);
  EXPECT_EQ(SuiteSignature("GET", ""), vanilla);
  EXPECT_EQ(SuiteSignature("GET", "/./"), vanilla);
  EXPECT_EQ(SuiteSignature("GET", "//"), vanilla);
  EXPECT_EQ(SuiteSignature("GET", "/example/.."), vanilla);
  EXPECT_EQ(SuiteSignature("POST", "/"), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
  EXPECT_EQ(SuiteSignature("GET", "/?Param2=value2&Param1=value1"),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  EXPECT_EQ(SuiteSignature("POST", "/", {{"Content-Type", "application/x-www-form-urlencoded"}}, "Param1=value1"),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

TEST(SigV4Test, SignsAsTheExampleOfIam) {
  const absl::StatusOr<Headers> added = Sign({"GET",
                                              "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
                                              {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
                                              HexSha256("")},
                                             {"iam", "us-east-1"}, kSuiteKeys, SuiteTime());
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->back().second,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

// The examples of "Signature Calculations for the Authorization Header" of Amazon S3.
TEST(SigV4Test, SignsAsTheExamplesOfS3) {
  const Credentials keys = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
  const absl::Time time = absl::FromCivil(absl::CivilSecond(2013, 5, 24, 0, 0, 0), absl::UTCTimeZone());
  const auto signature = [&](const SigningRequest& request) {
    const absl::StatusOr<Headers> added = Sign(request, {"s3", "us-east-1"}, keys, time);
    EXPECT_TRUE(added.ok()) << added.status();
    return added->back().second;
  };
  const std::string host = "https://examplebucket.s3.amazonaws.com";
  EXPECT_THAT(signature({"GET", host + "/test.txt", {{"Range", "bytes=0-9"}}, HexSha256("")}),
              EndsWith("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
  EXPECT_THAT(signature({"GET", host + "/?lifecycle", {}, HexSha256("")}),
              EndsWith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
  EXPECT_THAT(signature({"GET", host + "/?max-keys=2&prefix=J", {}, HexSha256("")}),
              EndsWith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(SigV4Test, NormalisesAndEncodesPathsExceptOfS3) {
  const SigningRequest request = {"get", "https://h/a//b/../c%20d/", {}, "hash"};
  EXPECT_EQ(*CanonicalRequest(request, {"sagemaker", "r"}), "GET\n/a/c%2520d/\n\n\n\nhash");
  EXPECT_EQ(*CanonicalRequest(request, {"s3", "r"}), "GET\n/a//b/../c%20d/\n\n\n\nhash");
}

TEST(SigV4Test, FoldsHeadersAndLeavesOutWhatProxiesChange) {
  const SigningRequest request = {"GET",
                                  "https://h/",
                                  {{"b", "  2   3 "}, {"A", "x"}, {"a", "y"}, {"User-Agent", "tuner"}, {"TE", "gzip"}},
                                  "hash"};
  EXPECT_EQ(*CanonicalRequest(request, {"sagemaker", "r"}), "GET\n/\n\na:x,y\nb:2 3\n\na;b\nhash");
}

std::string HostFor(const std::string& url) {
  const absl::StatusOr<Headers> added = Sign({"GET", url, {}, HexSha256("")}, kSuiteScope, kSuiteKeys, SuiteTime());
  return added.ok() ? added->front().second : added.status().ToString();
}

TEST(SigV4Test, NamesHostsAsClientsSendThem) {
  EXPECT_EQ(HostFor("https://Example.COM:443/a"), "example.com");
  EXPECT_EQ(HostFor("http://example.com:80"), "example.com");
  EXPECT_EQ(HostFor("http://example.com:443?q"), "example.com:443");
  EXPECT_EQ(HostFor("http://user:word@example.com:8080/a@b"), "example.com:8080");
  EXPECT_EQ(HostFor("http://[FD00:ec2::254]/"), "[fd00:ec2::254]");
  EXPECT_EQ(HostFor("http://[::1]:9000/"), "[::1]:9000");
}

TEST(SigV4Test, ReplacesWhatItSetsAndKeepsAHost) {
  const absl::StatusOr<Headers> added =
      Sign({"GET", "https://h/", {{"Host", "other"}, {"x-amz-date", "old"}, {"AUTHORIZATION", "old"}}, HexSha256("")},
           kSuiteScope, {"id", "secret", "token"}, SuiteTime());
  ASSERT_TRUE(added.ok()) << added.status();
  std::map<std::string, std::string> names(added->begin(), added->end());
  EXPECT_EQ(names.count("Host"), 0);
  EXPECT_EQ(names["X-Amz-Date"], "20150830T123600Z");
  EXPECT_EQ(names["X-Amz-Security-Token"], "token");
  EXPECT_EQ(names.count("X-Amz-Content-Sha256"), 0);
  EXPECT_THAT(names["Authorization"], HasSubstr("SignedHeaders=host;x-amz-date;x-amz-security-token,"));
  EXPECT_THAT(names["Authorization"], Not(HasSubstr("secret=")));
}

TEST(SigV4Test, RefusesWhatIsNoUrl) {
  for (const char* url : {"", "ftp://h/", "https://", "https://h/a b", "h/path", "https:///path"}) {
    EXPECT_EQ(Sign({"GET", url, {}, ""}, kSuiteScope, kSuiteKeys, SuiteTime()).status().code(),
              absl::StatusCode::kInvalidArgument)
        << url;
  }
}

TEST(Sha256Test, OfTextsAndFiles) {
  EXPECT_EQ(HexSha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HexSha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HexSha256OfFile("/nowhere/at/all").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tuner::executors::aws
