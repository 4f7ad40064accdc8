#include <stdlib.h>
#include <string.h>

#include "reconciler/guest/guest_internal.h"

json_t *cb_guest_json_text(const char *text)
{
	json_t *value = json_string(text);

	if (!value)
		cb_oom();
	return value;
}

void cb_guest_json_put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		cb_oom();
}

void cb_guest_json_add(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) < 0)
		cb_oom();
}

void cb_guest_room(struct cb_str *str, size_t more)
{
	struct cb_str grown = {.len = str->len, .cap = str->cap ? str->cap : 4096};

	if (str->cap - str->len > more)
		return;
	while (grown.cap - grown.len <= more)
		grown.cap *= 2;
	grown.text = malloc(grown.cap);
	if (!grown.text)
		cb_oom();
	if (str->len)
		memcpy(grown.text, str->text, str->len);
	grown.text[grown.len] = '\0';
	cb_str_wipe(str);
	*str = grown;
}

static void add(struct cb_str *out, const char *bytes, size_t len)
{
	cb_guest_room(out, len);
	cb_str_add_bytes(out, bytes, len);
}

/*
 * JSON is YAML but for a few characters that JSON lets stand in a string as they are: YAML 1.1
 * reads some of them as line breaks and refuses documents that hold the others. JSON_ENSURE_ASCII
 * is no way out: YAML does not join the surrogate pairs that it writes. Returns the length of such
 * a character, and its code.
 */
static size_t unfit(const unsigned char *p, size_t left, unsigned *code)
{
	if (p[0] == 0x7f) {
		*code = p[0];
		return 1;
	}
	if (left >= 2 && p[0] == 0xc2 && p[1] < 0xa0) {
		*code = p[1];
		return 2;
	}
	if (left < 3 || (p[0] & 0xf0) != 0xe0)
		return 0;
	*code = (p[0] & 0xfU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
	return *code == 0x2028 || *code == 0x2029 || *code == 0xfeff || *code >= 0xfffe ? 3 : 0;
}

void cb_guest_json_dump(const json_t *value, size_t flags, struct cb_str *out)
{
	size_t len = json_dumpb(value, NULL, 0, flags), begin = 0, at = 0;
	struct cb_str text = {0};

	cb_guest_room(&text, len);
	if (json_dumpb(value, text.text, len, flags) != len)
		cb_oom();
	text.len = len;
	while (at < len) {
		char escape[8];
		unsigned code = 0;
		size_t width = unfit((const unsigned char *)text.text + at, len - at, &code);

		if (width) {
			add(out, text.text + begin, at - begin);
			(void)snprintf(escape, sizeof(escape), "\\u%04x", code);
			add(out, escape, strlen(escape));
			begin = at + width;
		}
		at += width ? width : 1;
	}
	add(out, text.text + begin, len - begin);
	cb_str_wipe(&text);
}

static void wipe(const json_t *value)
{
	json_t *item;
	const char *key;
	size_t i;

	if (json_is_string(value)) {
		/* The only owner of the bytes is about to free them. */
		explicit_bzero((char *)(uintptr_t)json_string_value(value),
			       json_string_length(value));
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, item) wipe(item);
	} else if (json_is_object(value)) {
		json_object_foreach((json_t *)(uintptr_t)value, key, item) wipe(item);
	}
}

void cb_guest_json_wipe(json_t **value)
{
	if (*value)
		wipe(*value);
	json_decref(*value);
	*value = NULL;
}
