#include <ctype.h>
#include <string.h>

#include "reconciler/guest/guest_internal.h"

static json_t *lower(const char *mac)
{
	char text[18] = "";

	for (size_t i = 0; i + 1 < sizeof(text) && mac[i]; i++)
		text[i] = (char)tolower((unsigned char)mac[i]);
	return cb_guest_json_text(text);
}

/* By MAC address alone: what a guest's kernel calls its cards is its own affair. */
static json_t *ethernet(const struct cb_guest_nic *nic)
{
	json_t *card = json_object(), *match = json_object();

	cb_guest_json_put(match, "macaddress", lower(nic->mac));
	cb_guest_json_put(card, "match", match);
	cb_guest_json_put(card, "dhcp4", json_boolean(!nic->address));
	if (nic->address) {
		json_t *addresses = json_array();

		cb_guest_json_add(addresses, cb_guest_json_text(nic->address));
		cb_guest_json_put(card, "addresses", addresses);
	}
	/* Netplan calls it deprecated in favour of `routes`, of which cloud-init 22.4 makes no
	 * default route: it does not know "default", takes "::/0" for "::/64", and for ifupdown
	 * writes calls of route(8), which a minimal Debian does not have. */
	if (nic->gateway)
		cb_guest_json_put(card, strchr(nic->gateway, ':') ? "gateway6" : "gateway4",
				  cb_guest_json_text(nic->gateway));
	return card;
}

json_t *cb_guest_network(const struct cb_guest *guest)
{
	json_t *config = json_object(), *cards = json_object();

	cb_guest_json_put(config, "version", json_integer(2));
	cb_vec_each (const struct cb_guest_nic, nic, &guest->nics)
		cb_guest_json_put(cards, nic->name, ethernet(nic));
	cb_guest_json_put(config, "ethernets", cards);
	return config;
}
