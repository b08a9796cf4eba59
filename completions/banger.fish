# SPDX-License-Identifier: Apache-2.0
#
# Completion for fish. It loads this file by the name of the command, which make
# install gives it too.

function __banger_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l engine (path dirname (path resolve (type -P $words[1])))/../libexec/banger/complete
    for line in ($engine $words "$current" 2>/dev/null)
        switch $line
            case :files :dirs
                set -l flag (string match -r '^--[^=]*=' -- $current)
                set -l path (string replace -r '^--[^=]*=' '' -- "$current")
                set -l list __fish_complete_path "$path"
                test $line = :files; or set list __fish_complete_directories "$path" ''
                for file in ($list)
                    echo "$flag$file"
                end
            case '*'
                echo $line
        end
    end
end

complete -c (string replace -r '\.fish$' '' (path basename (status filename))) -f -a '(__banger_complete)'
