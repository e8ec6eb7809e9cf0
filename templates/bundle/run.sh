#!/usr/bin/env bash
# Compiles every model of this bundle with atc. Written by paddle2om.
# Run it on a host with the CANN toolkit; it needs no NPU. Models that are done are left alone, so
# that it can be run again after a failure. Ends with 1 when a model failed.
set -u
cd -- "$(dirname -- "${BASH_SOURCE[0]}")" || exit 2
shopt -s nullglob

# The OM file, and the weights beside it when atc was told to keep them in files of their own.
note_digests() {
    [ -f inference.om ] || return 1
    local made=(inference.om)
    for directory in weight inference_weight_combined; do
        [ -d "$directory" ] && made+=("$directory")
    done
    find "${made[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >.digests.part &&
        mv -- .digests.part inference.om.sha256
}

failed=()
models=0
for manifest in */paddle2om.bundle.json; do
    model=${manifest%/paddle2om.bundle.json}
    script=$model/atc.sh
    models=$((models + 1))
    if (cd -- "./$model" && sha256sum --check --status inference.om.sha256) 2>/dev/null; then
        echo "$model: done before"
        continue
    fi
    rm -f -- "./$model/inference.om" "./$model/inference.om.sha256"
    rm -rf -- "./$model/weight" "./$model/inference_weight_combined"
    echo "$model: atc"
    bash "./$script" >"./$model/atc.log" 2>&1
    code=$?
    if [ "$code" = 0 ] && (cd -- "./$model" && note_digests); then
        echo "$model: ok"
    else
        failed+=("$model")
        echo "$model: FAILED with code $code; the end of $model/atc.log:"
        tail -n 15 -- "./$model/atc.log" | sed 's/^/    /'
    fi
done

if [ "$models" = 0 ]; then
    echo "there is no model in $PWD: copy the whole bundle" >&2
    exit 2
fi
if [ "${#failed[@]}" -gt 0 ]; then
    echo "${#failed[@]} failed: ${failed[*]}" >&2
    exit 1
fi
echo "All models are compiled. Take this directory back and run: paddle2om compile --import"
