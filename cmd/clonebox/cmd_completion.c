/* completion: what the shells are to load. All that these do is ask `__complete` (complete.c), so
 * that they fit the program that they call, whichever version of it that is. */
#include <stdio.h>
#include <string.h>

#include "cmd/clonebox/ui.h"

/* clang-format off */
static const char bash[] =
	"# bash completion of clonebox: from `clonebox completion bash`\n"
	"_clonebox() {\n"
	"\tlocal current prefix='' word line glue=0\n"
	"\tlocal -a words=() lines=()\n"
	"\tCOMPREPLY=()\n"
	"\t# Bash takes --output=json for three words.\n"
	"\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD}\"; do\n"
	"\t\tif ((glue)) || [[ $word == = && ${#words[@]} -gt 0 && ${words[-1]-} == --* ]]; then\n"
	"\t\t\twords[-1]+=$word\n"
	"\t\t\t[[ $word == = ]] && glue=1 || glue=0\n"
	"\t\telse\n"
	"\t\t\twords+=(\"$word\")\n"
	"\t\tfi\n"
	"\tdone\n"
	"\t((${#words[@]})) || return 0\n"
	"\tcurrent=${words[-1]}\n"
	"\t[[ $current == --*=* ]] && prefix=${current%%=*}=\n"
	"\tmapfile -t lines < <(\"${1/#\\~\\//$HOME/}\" __complete \"${words[@]}\" 2>/dev/null)\n"
	"\tcase ${lines[0]-} in\n"
	"\tfiles)\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"${current#\"$prefix\"}\")\n"
	"\t\t;;\n"
	"\tdirectories)\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -d -- \"${current#\"$prefix\"}\")\n"
	"\t\t;;\n"
	"\t*)\n"
	"\t\tfor line in \"${lines[@]:1}\"; do\n"
	"\t\t\tword=${line%%$'\\t'*}\n"
	"\t\t\t[[ $word == \"$current\"* ]] && COMPREPLY+=(\"${word#\"$prefix\"}\")\n"
	"\t\tdone\n"
	"\t\t;;\n"
	"\tesac\n"
	"\treturn 0\n"
	"}\n"
	"complete -F _clonebox clonebox\n";

static const char zsh[] =
	"#compdef clonebox\n"
	"# zsh completion of clonebox: from `clonebox completion zsh`\n"
	"_clonebox() {\n"
	"\tlocal line\n"
	"\tlocal -a lines entries\n"
	"\tlines=(\"${(@f)$(${(Q)words[1]} __complete \"${(@Q)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
	"\tcase $lines[1] in\n"
	"\tfiles | directories)\n"
	"\t\tcompset -P '--*='\n"
	"\t\tif [[ $lines[1] == files ]]; then _files; else _files -/; fi\n"
	"\t\t;;\n"
	"\t*)\n"
	"\t\tfor line in \"${(@)lines[2,-1]}\"; do\n"
	"\t\t\tentries+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
	"\t\tdone\n"
	"\t\t_describe -t clonebox clonebox entries\n"
	"\t\t;;\n"
	"\tesac\n"
	"}\n"
	"if [[ $funcstack[1] == _clonebox ]]; then _clonebox \"$@\"; else compdef _clonebox clonebox; fi\n";

static const char fish[] =
	"# fish completion of clonebox: from `clonebox completion fish`\n"
	"function __clonebox_complete\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -l current (commandline -ct)\n"
	"\tset -l prefix (string match -r -- '^--[^=]*=' $current)\n"
	"\tset -l program $words[1]\n"
	"\tset -e words[1]\n"
	"\tset -l lines ($program __complete $words \"$current\" 2>/dev/null)\n"
	"\tset -l kind $lines[1]\n"
	"\tset -e lines[1]\n"
	"\tset -l path (string replace -r -- '^--[^=]*=' '' \"$current\")\n"
	"\tswitch \"$kind\"\n"
	"\t\tcase files\n"
	"\t\t\tprintf \"$prefix%s\\n\" (__fish_complete_path \"$path\")\n"
	"\t\tcase directories\n"
	"\t\t\tprintf \"$prefix%s\\n\" (__fish_complete_directories \"$path\")\n"
	"\t\tcase '*'\n"
	"\t\t\tprintf '%s\\n' $lines\n"
	"\tend\n"
	"end\n"
	"complete -c clonebox -f -a '(__clonebox_complete)'\n";

/* clang-format on */

static const struct {
	const char *name, *script;
} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

int cb_cmd_completion(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};

	for (size_t i = 0; i < CB_COUNT(shells); i++) {
		if (strcmp(cli->words[0], shells[i].name) == 0)
			return cb_ui_print(shells[i].script);
	}
	(void)cb_error_set(&err, CB_E_USAGE, "there is no completion for '%s'", cli->words[0]);
	(void)cb_error_hint(&err, "one of bash, zsh, fish");
	return cb_ui_error(&err);
}
