#include "schema/starter.h"

#include <string.h>

#include "reconciler/model/field.h"
#include "reconciler/model/text.h"
#include "schema/format.h"
#include "schema/scalar.h"

/* A line: a key with what the table says of it, or, without a key, `text` as it is. */
struct row {
	unsigned columns;
	const char *key;  /* NULL: `text` is the line */
	const char *text; /* the value; NULL: what the example of the table says */
	bool off;         /* commented out */
};

/* clang-format off */
static const struct row one[] = {
	{0, NULL, "# yaml-language-server: $schema=" CB_STARTER_SCHEMA, false},
	{0, NULL, "# A virtual machine. Put its image beside this file and name it below, then", false},
	{0, NULL, "#   clonebox validate       tells what is wrong here", false},
	{0, NULL, "#   clonebox plan           shows what would be done, and changes nothing", false},
	{0, NULL, "#   clonebox apply          does it; again after every change of this file", false},
	{0, NULL, "#   clonebox explain KEY    tells what a key means, and what changing it costs", false},
	{0, NULL, "# What begins with '#' is off: take that away to say it.", false},
	{0, NULL, "", false},
	{0, NULL, "version: \"1\"", false},
	{0, NULL, "vm:", false},
	{2, NULL, "name: %s", false},
	{2, "ram_mb", "2048", false},
	{2, "vcpus", "2", false},
	{2, "disk_size_gb", "20", false},
	{2, "base_image", "./debian-12.qcow2", false},
	{2, NULL, "", false},
	{2, "disks", NULL, true},
	{2, "network_mode", NULL, true},
	{2, NULL, "", false},
	{2, NULL, "# Told to the guest by cloud-init when it boots for the first time:", false},
	{2, "username", NULL, true},
	{2, "ssh_public_key", "${SSH_KEY} # from .clonebox.env beside this file, or the environment", true},
	{2, "packages", NULL, true},
};

static const struct row fleet[] = {
	{0, NULL, "# yaml-language-server: $schema=" CB_STARTER_SCHEMA, false},
	{0, NULL, "# Several virtual machines, and what they share. Put their image beside this file and", false},
	{0, NULL, "# name it below `images`, then", false},
	{0, NULL, "#   clonebox validate       tells what is wrong here", false},
	{0, NULL, "#   clonebox plan           shows what would be done, and changes nothing", false},
	{0, NULL, "#   clonebox apply          does it; again after every change of this file", false},
	{0, NULL, "#   clonebox render         shows what each machine comes to, and which line says so", false},
	{0, NULL, "#   clonebox explain KEY    tells what a key means, and what changing it costs", false},
	{0, NULL, "# What begins with '#' is off: take that away to say it.", false},
	{0, NULL, "", false},
	{0, NULL, "version: \"1\"", false},
	{0, NULL, "# Needed for `apply --prune`, which removes what is not here any more:", false},
	{0, NULL, "# owner: team-a", false},
	{0, NULL, "", false},
	{0, NULL, "vms:", false},
	{2, NULL, "%s:", false},
	{4, "profile", "large", false},
	{4, "protect", NULL, true},
	{4, "disks", NULL, true},
	{2, NULL, "", false},
	{2, NULL, "web:", false},
	{4, "count", "2", false},
	{4, "depends_on", "[%s]", false},
	{4, "labels", NULL, true},
	{0, NULL, "", false},
	{0, NULL, "defaults:", false},
	{2, NULL, "vm:", false},
	{4, "ram_mb", "1024", false},
	{4, "vcpus", "1", false},
	{4, "disk_size_gb", "10", false},
	{4, "base_image", "debian-12", false},
	{4, "gui", "false", false},
	{4, "username", NULL, true},
	{4, "ssh_public_key", "${SSH_KEY} # from .clonebox.env beside this file, or the environment", true},
	{0, NULL, "", false},
	{0, NULL, "profiles:", false},
	{2, NULL, "large:", false},
	{4, NULL, "ram_mb: 4096", false},
	{4, NULL, "vcpus: 4", false},
	{0, NULL, "", false},
	{0, NULL, "images:", false},
	{2, NULL, "debian-12:", false},
	{4, NULL, "path: ./debian-12.qcow2", false},
	{0, NULL, "", false},
	{0, NULL, "# networks:", false},
	{0, NULL, "#   lan: {mode: nat, cidr: 10.10.0.0/24}", false},
};
/* clang-format on */

#define NAME "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

/* The name where it stands in a line; a number is one only in quotes. */
static void add_text(struct cb_str *out, const char *text, const char *name)
{
	bool quoted = cb_scalar_of(name) != CB_SCALAR_TEXT;
	const char *place = strstr(text, "%s");

	if (!place) {
		cb_str_add(out, text);
		return;
	}
	cb_str_add_bytes(out, text, (size_t)(place - text));
	cb_str_printf(out, quoted ? "\"%s\"" : "%s", name);
	cb_str_add(out, place + strlen("%s"));
}

/* The key with what the table says of it above. */
static void add_key(struct cb_str *out, const struct row *row, const char *name)
{
	const struct cb_field *field = cb_field_find(CB_SCOPE_VM, row->key);
	int columns = (int)row->columns;

	cb_str_printf(out, "%*s# %s\n", columns, "", field->doc);
	cb_str_printf(out, "%*s%s", columns, "", row->off ? "# " : "");
	if (row->text) {
		cb_str_printf(out, "%s: ", row->key);
		add_text(out, row->text, name);
	} else {
		cb_str_add(out, field->example);
	}
	cb_str_add(out, "\n");
}

static int check_name(const char *name, struct cb_error *err)
{
	size_t len = strlen(name), most = (size_t)cb_field_find(CB_SCOPE_VM, "name")->max;

	if (len > 0 && len <= most && name[strspn(name, NAME)] == '\0' && !strchr("._-", *name))
		return 0;
	(void)cb_error_set(err, CB_E_USAGE, "--name: '%s' is not a name of a vm", name);
	return cb_error_hint(err,
			     "a name has letters, digits, '.', '_' and '-', starts with a letter "
			     "or digit, and has at most %zu characters",
			     most);
}

int cb_starter(const char *name, enum cb_starter_form form, struct cb_str *out,
	       struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str made = {0};
	struct cb_manifest_text text = {.name = "starter", .directory = "/", .source = "starter"};
	struct cb_problems problems = {0};
	bool several = form == CB_STARTER_FLEET;
	const struct row *rows = several ? fleet : one;
	int r = check_name(name, err);

	if (r < 0)
		return r;
	/* The other one of the fleet. */
	if (several && strcmp(name, "web") == 0)
		return cb_error_set(
			err, CB_E_USAGE,
			"--name: 'web' is the second vm of the fleet; take another one");
	for (size_t i = 0; i < (several ? CB_COUNT(fleet) : CB_COUNT(one)); i++) {
		if (rows[i].key) {
			add_key(&made, &rows[i], name);
			continue;
		}
		cb_str_printf(&made, "%*s", *rows[i].text ? (int)rows[i].columns : 0, "");
		add_text(&made, rows[i].text, name);
		cb_str_add(&made, "\n");
	}
	text.bytes = made.text;
	text.len = made.len;
	/* The order of keys is the table's to say. */
	return cb_format(&arena, &text, out, &problems, err);
}
