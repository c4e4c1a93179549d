/* Signatures against the examples that AWS publishes for S3, and the hashes beneath. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "object/sigv4.h"

#include "base/clock.h"
#include "object/hash.h"
#include "tap.h"

/* https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
static const struct sigv4_key example = {.id = "AKIAIOSFODNN7EXAMPLE",
                                         .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                         .region = "us-east-1",
                                         .service = "s3"};
/* SHA-256 of no bytes, and of "Welcome to Amazon S3." */
#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define WELCOME "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
#define HOST    "host: examplebucket.s3.amazonaws.com\n"

static void published_examples_are_signed_as_published(void)
{
    const struct {
        struct sigv4_request request;
        const char *headers, *signed_headers, *signature;
    } rows[] = {
        {{"GET", STR("/test.txt"), STR(""), NOTHING},
         HOST "range: bytes=0-9\n",
         "host;range;x-amz-content-sha256;x-amz-date",
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
        {{"PUT", STR("/test%24file.text"), STR(""), WELCOME},
         HOST "x-amz-storage-class: REDUCED_REDUNDANCY\ndate: Fri, 24 May 2013 00:00:00 GMT\n",
         "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
        {{"GET", STR("/"), STR("lifecycle="), NOTHING},
         HOST,
         "host;x-amz-content-sha256;x-amz-date",
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
        {{"GET", STR("/"), STR("max-keys=2&prefix=J"), NOTHING},
         HOST,
         "host;x-amz-content-sha256;x-amz-date",
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    };
    int64_t when_us;

    CHECK(time_parse(STR("2013-05-24T00:00:00Z"), &when_us));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf headers = BUF_INIT(4096), want = BUF_INIT(4096);
        buf_add_z(&headers, rows[i].headers);
        sigv4_sign(&example, &rows[i].request, when_us, &headers);
        buf_addf(&want,
                 "\nauthorization: AWS4-HMAC-SHA256 "
                 "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                 "SignedHeaders=%s,Signature=%s\n",
                 rows[i].signed_headers, rows[i].signature);
        if (strstr(buf_z(&headers), buf_z(&want)) == NULL)
            TAP_FAIL("row %zu: %s has no %s", i, buf_z(&headers), buf_z(&want));
        CHECK(strstr(buf_z(&headers), "x-amz-date: 20130524T000000Z\n") != NULL);
        buf_release(&headers);
        buf_release(&want);
    }
}

static void a_token_is_sent_and_signed(void)
{
    struct sigv4_key key = example;
    const struct sigv4_request request = {"GET", STR("/"), STR(""), NOTHING};
    struct buf headers = BUF_INIT(4096);

    key.token = "some-token";
    buf_add_z(&headers, HOST "x-amz-date-of-birth: 1\n"); /* its name begins as another's */
    sigv4_sign(&key, &request, 0, &headers);
    CHECK(strstr(buf_z(&headers), "\nx-amz-security-token: some-token\n") != NULL);
    CHECK(strstr(buf_z(&headers), "x-amz-date;x-amz-date-of-birth;x-amz-security-token,") != NULL);
    CHECK(strstr(buf_z(&headers), key.secret) == NULL);
    buf_release(&headers);
}

static void base64_is_that_of_rfc_4648(void)
{
    static const struct {
        const char *plain, *text;
    } rows[] = {{"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},
                {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"}};
    unsigned char back[16];
    char text[16];
    size_t len;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const size_t n = strlen(rows[i].plain);
        hash_base64((const unsigned char *)rows[i].plain, n, text);
        CHECK_Z(text, rows[i].text);
        if (n == 0)
            continue;
        CHECK(hash_unbase64(str_of(text), back, sizeof(back), &len));
        CHECK_EQ(len, n);
        CHECK(memcmp(back, rows[i].plain, n) == 0);
    }
    CHECK(!hash_unbase64(STR("Zg=!"), back, sizeof(back), &len));
    CHECK(!hash_unbase64(STR("Zm9vYmFy"), back, 5, &len));
}

static void sha256_is_that_of_the_examples(void)
{
    unsigned char hash[SHA256_BYTES];
    char text[SHA256_HEX];

    hash_sha256(STR_NONE, hash);
    hash_hex(hash, sizeof(hash), text);
    CHECK_Z(text, NOTHING);
    hash_sha256(STR("Welcome to Amazon S3."), hash);
    hash_hex(hash, sizeof(hash), text);
    CHECK_Z(text, WELCOME);
}

static void md5_is_that_of_rfc_1321(void)
{
    unsigned char hash[MD5_BYTES];
    char text[2 * MD5_BYTES + 1];

    hash_md5(STR("message digest"), hash);
    hash_hex(hash, sizeof(hash), text);
    CHECK_Z(text, "f96b697d7cb7938d525a2f31aaf161d0");
}

static void what_is_not_plain_is_percent_encoded(void)
{
    struct buf b = BUF_INIT(100);

    hash_percent(&b, STR("aZ09-._~/ +%é"), true);
    CHECK_STR(buf_str(&b), "aZ09-._~/%20%2B%25%C3%A9");
    buf_clear(&b);
    hash_percent(&b, STR("a/b"), false);
    CHECK_STR(buf_str(&b), "a%2Fb");
    buf_release(&b);
}

TAP_MAIN(TAP_CASE(published_examples_are_signed_as_published), TAP_CASE(a_token_is_sent_and_signed),
         TAP_CASE(base64_is_that_of_rfc_4648), TAP_CASE(sha256_is_that_of_the_examples),
         TAP_CASE(md5_is_that_of_rfc_1321), TAP_CASE(what_is_not_plain_is_percent_encoded))
