/**
 * Completion scripts for bash, zsh and fish, from the list of verbs. Pure; rollout names are asked of
 * `rollout list --names` when the user presses Tab.
 * @module
 */

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export interface CompletionVerb {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly string[];
  /** Its argument is the name of a rollout. */
  readonly takesRollout: boolean;
}

const NAMES = 'rollout list --names 2>/dev/null';

export function renderCompletion(shell: Shell, verbs: readonly CompletionVerb[]): string {
  switch (shell) {
    case 'bash':
      return bash(verbs);
    case 'zsh':
      return zsh(verbs);
    case 'fish':
      return fish(verbs);
  }
}

function bash(verbs: readonly CompletionVerb[]): string {
  const cases = verbs.map((verb) => {
    const names = verb.takesRollout ? `; words="$words $(${NAMES})"` : '';
    return `    ${verb.name}) words="${verb.flags.join(' ')}"${names} ;;`;
  });
  return `# bash completion of rollout. Load it with: source <(rollout completion bash)
_rollout() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${verbs.map((verb) => verb.name).join(' ')}" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    *) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _rollout rollout
`;
}

function zsh(verbs: readonly CompletionVerb[]): string {
  const list = verbs.map((verb) => `    ${quote(`${verb.name}:${verb.description}`)}`);
  const cases = verbs.map((verb) => {
    const names = verb.takesRollout ? ` \${(f)"$(${NAMES})"}` : '';
    return `    ${verb.name}) compadd -- ${verb.flags.join(' ')}${names} ;;`;
  });
  return `#compdef rollout
# zsh completion of rollout. Load it with: source <(rollout completion zsh)
_rollout() {
  local -a verbs
  verbs=(
${list.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    return
  fi
  case "$words[2]" in
${cases.join('\n')}
  esac
  [[ "$words[2]" == lint ]] && _files
}
compdef _rollout rollout
`;
}

function fish(verbs: readonly CompletionVerb[]): string {
  const lines = verbs.flatMap((verb) => {
    const when = quote(`__fish_seen_subcommand_from ${verb.name}`);
    return [
      `complete -c rollout -n __fish_use_subcommand -f -a ${verb.name} -d ${quote(verb.description)}`,
      ...verb.flags.map((flag) => `complete -c rollout -n ${when} -l ${flag.slice(2)}`),
      ...(verb.takesRollout ? [`complete -c rollout -n ${when} -f -a '(${NAMES})'`] : []),
    ];
  });
  return `# fish completion of rollout. Load it with: rollout completion fish | source
${lines.join('\n')}
`;
}

/** In single quotes, for all three shells. */
function quote(text: string): string {
  return `'${text.replace(/'/g, "'\\''")}'`;
}
