/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/alerts.h"
#include "tap.h"

static void each_channel_is_read_and_shown_without_its_secrets(void)
{
    static const struct {
        const char *text, *url, *shown;
    } cases[] = {
        {"https://hooks.example:8443/s3cret?key=s3cret",
         "https://hooks.example:8443/s3cret?key=s3cret", "https://hooks.example:8443/…"},
        {"http://me:s3cret@host/x", "http://me:s3cret@host/x", "http://host/…"},
        {"slack:https://hooks.slack.com/services/s3cret", "https://hooks.slack.com/services/s3cret",
         "slack:https://hooks.slack.com/…"},
        {"ntfy://s3cret", "https://ntfy.sh/s3cret", "ntfy://ntfy.sh/…"},
        {"ntfy://ntfy.example:81/s3cret?token=s3cret", "https://ntfy.example:81/s3cret",
         "ntfy://ntfy.example:81/…"},
        {"ntfy+http://[::1]:81/s3cret", "http://[::1]:81/s3cret", "ntfy+http://[::1]:81/…"},
        {"smtp://host/?from=a@b&to=c@d", "smtp://host/geckotape", "smtp://host/…"},
        {"smtps://me:s3%40cret@host:465/?to=c@d,e@f&from=a%2Bb@b", "smtps://host:465/geckotape",
         "smtps://host:465/…"},
        {"smtp://host/?from=a@b&to=,c@d,%20e@f,", "smtp://host/geckotape", "smtp://host/…"},
#ifdef HAVE_MQTT
        {"mqtt://me:s3cret@host/a/s3cret", "", "mqtt://host:1883/…"},
        {"mqtts://[::1]:81/s3cret?qos=2", "", "mqtts://[::1]:81/…"},
#endif
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = ERR_INIT;
        struct alert_channel c;
        if (alert_channel_parse(str_of(cases[i].text), &c, &err) != ST_OK)
            TAP_FAIL("%s: %s", cases[i].text, err.msg);
        CHECK_Z(c.url, cases[i].url);
        CHECK_Z(c.shown, cases[i].shown);
        if (i == 7) {
            CHECK_Z(c.password, "s3@cret");
            CHECK_Z(c.from, "a+b@b");
            CHECK_Z(c.to, "c@d,e@f");
        }
    }
}

static void what_is_no_channel_is_refused_without_its_secrets(void)
{
    static const char *const wrong[] = {
        "",
        "https:",
        "https://",
        "ftp://s3cret/",
        "file:///etc/s3cret",
        "slack:s3cret",
        "slack:file:///s3cret",
        "https://s3cret:x:y/",
        "https://host/\ns3cret",
        "smtp://me:s3cret@host/",
        "smtp://me:s3cret@host/?from=a&to=b@c",
        "smtp://me:s3cret@host/?from=a@b%0d%0aBcc:x&to=b@c",
        "smtp://me:s3cret@host/?from=a@b&to=c@d%0aRCPT",
        "ntfy://host/x?token=s3cret%0a",
        "ntfy://s3cret:81",
        "ntfy://host:81/?token=s3cret",
        "ntfy+http://s3cret",
        "smtp://host/?from=a@b&to=S3cret%20%3Cs3cret@d%3E",
        "smtp://host/?from=a@b&to=%3Cs3cret@d%3E",
        "smtp://host/?from=a@b&to=s3cret@d%20e@f",
        "smtp://host/?from=a@b&to=c@d,s3cret",
        "smtp://host/?from=a@b&to=c@d,@s3cret",
        "smtp://host/?from=a@b,s3cret@b&to=c@d",
        "smtp://host/?from=a@b&to=,,",
        "mqtt://me:s3cret@host",
        "mqtt://me:s3cret@host/a?s3cret",
        "mqtt://me:s3cret@host/a?passfile=s3cret",
        "mqtt://me:s3cret@host:x/a",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct err err = ERR_INIT;
        struct alert_channel c;
        if (alert_channel_parse(str_of(wrong[i]), &c, &err) != ST_REJECT)
            TAP_FAIL("taken: %s", wrong[i]);
        CHECK(strstr(err.msg, "s3cret") == NULL && err.msg[0] != '\0');
    }
}

/* Of equal conditions: the channel tells them apart, and what opens it does not. */
static void a_name_holds_no_password(void)
{
    static const char *const alerts[] = {
        "gap of job a to https://host",
        "gap of job a to https://u:s3cret@host",
        "gap of job a to https://u:s3cret2@host",
        "gap of job a to https://host/u:s3cret@x",
        "gap of job a to https://u:s3c@host/x",
        "gap of job a to https://host/x",
        "gap of job a to ntfy://h/x?token=s3cret",
#ifdef HAVE_MQTT
        "gap of job a to mqtt://h/x",
        "gap of job a to mqtt://h/y",
        "gap of job a to mqtt://u:s3cret@h/x",
#endif
    };
    static const size_t same[] = {0, 0, 0, 3, 4, 4, 6, 7, 8, 7};
    struct alerts *a = alerts_new("/none", clock_system());
    struct err err = ERR_INIT;
    struct alert alert;

    for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
        CHECK(alert_parse(str_of(alerts[i]), &alert, &err) == ST_OK);
        CHECK(alerts_add(a, &alert, &err) == ST_OK);
        const char *mine = alerts_at(a, i)->key, *first = alerts_at(a, same[i])->key;
        CHECK(i == same[i] ? strchr(mine, '#') == NULL : str_starts(str_of(mine), str_of(first)));
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(mine, alerts_at(a, k)->key) != 0);
    }
    alerts_free(a);
}

TAP_MAIN(TAP_CASE(each_channel_is_read_and_shown_without_its_secrets),
         TAP_CASE(what_is_no_channel_is_refused_without_its_secrets),
         TAP_CASE(a_name_holds_no_password))
