@echo off
rem Starts the server, and builds it first if there is no program yet. All arguments go to it, for example
rem   scripts\start_observability.bat --dev
rem   scripts\start_observability.bat --workers 4 --port 8080
rem OBSERVABILITY_API names a program to start in place of the one built here.
setlocal
cd /d "%~dp0.."

set "TARGET=target"
if defined CARGO_TARGET_DIR set "TARGET=%CARGO_TARGET_DIR%"
set "PROGRAM=%TARGET%\release\observability-api.exe"
if defined OBSERVABILITY_API set "PROGRAM=%OBSERVABILITY_API%"

if exist "%PROGRAM%" goto run
if defined OBSERVABILITY_API (
    echo start_observability.bat: OBSERVABILITY_API names "%PROGRAM%", which is not there 1>&2
    exit /b 2
)
where cargo >nul 2>nul
if errorlevel 1 (
    echo start_observability.bat: there is no "%PROGRAM%", and no cargo to build it: install Rust first 1>&2
    exit /b 2
)
echo start_observability.bat: building the server; the first build compiles DuckDB and takes a while 1>&2
cargo build --release --bin observability-api
if errorlevel 1 exit /b 1

:run
"%PROGRAM%" %*
exit /b %errorlevel%
