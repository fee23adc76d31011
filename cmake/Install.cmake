# `cmake --install`: library, header, a CMake package (find_package(swav)) and a pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS swav EXPORT swav-targets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES include/swav.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# Beside the library that it loads: PYTHONPATH=PREFIX/share/swav/python
install(FILES Sources/python/swav.py Sources/python/swav_library.py DESTINATION ${CMAKE_INSTALL_DATADIR}/swav/python)

set(SWAV_CONFIG_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/swav)
install(EXPORT swav-targets NAMESPACE swav:: DESTINATION ${SWAV_CONFIG_FOLDER})
configure_package_config_file(cmake/swav-config.cmake.in swav-config.cmake INSTALL_DESTINATION ${SWAV_CONFIG_FOLDER})
write_basic_package_version_file(swav-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/swav-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/swav-config-version.cmake
        DESTINATION ${SWAV_CONFIG_FOLDER})

# The prefix is known only when installing; the file says it from where it lies.
file(RELATIVE_PATH SWAV_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/swav.pc.in swav.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/swav.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
